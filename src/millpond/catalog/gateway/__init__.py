"""The Iceberg REST catalog in front of the pointer store: what stock engines speak."""
