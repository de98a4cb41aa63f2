"""What Dagster runs: partitions, assets, checks, sensors. The only folder that imports it."""
