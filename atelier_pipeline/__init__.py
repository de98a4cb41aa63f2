"""Capture crypto market data once, derive everything else from it.

The folders, read from the ground up, are the pipeline; `docs/architecture.md` is their map.
"""

__version__ = "0.1.0"
