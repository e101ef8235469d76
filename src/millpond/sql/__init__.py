"""Pure work on SQL trees: the only importer of sqlglot."""
