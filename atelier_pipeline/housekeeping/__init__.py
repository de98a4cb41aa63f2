"""Keeping a lake in order: decoding frames again, compacting closed days, and retention.

Pure functions over files and a time that is passed in, for the command line and for scheduled jobs.
Nothing here captures, computes a feature or judges data.
"""
