"""Tests of the exchanges' codecs."""
