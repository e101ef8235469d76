"""Changes of the pointer store's schema, one file each, for Alembic."""
