"""Pointers, numbered commits, staging, and the REST gateway in front of them."""
