"""From the frames of a window to raw tables, gaps and captures: pure, no files, no clock."""
