"""From raw events to market snapshots on a uniform grid: pure, no files, no clock."""
