"""Tests of keeping a lake in order."""
