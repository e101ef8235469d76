"""From bytes to bronze: one Source protocol, one way to land."""
