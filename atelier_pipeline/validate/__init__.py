"""Judges data: the only SQL of the project, run by DuckDB over the lake's files."""
