"""Tests of the lake: names, files, the journal."""
