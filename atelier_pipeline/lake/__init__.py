"""Every path, schema and write."""
