"""Query engines, each in its own file of the same shape."""
