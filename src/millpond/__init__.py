"""Millpond turns a folder of SQL and YAML into a governed lakehouse."""
