"""Tests of decoding: frames of a window to raw tables, gaps and captures."""
