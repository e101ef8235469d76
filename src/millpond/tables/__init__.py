"""What engines cannot say in SQL about tables: changes between two commits, reading by files."""
