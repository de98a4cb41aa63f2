"""From market snapshots to the 15 features: pure, no files, no clock."""
