"""Checks of other tools, translated."""
