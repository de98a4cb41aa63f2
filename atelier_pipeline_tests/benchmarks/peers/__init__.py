"""Scripts for environments that have none of our packages: run by their path, never imported."""
