"""What the user declared, frozen, with the file and line of each word."""
