"""The gate: who may read what, decided in one place, and recorded."""
