"""`python -m atelier_pipeline.cli`."""

from atelier_pipeline.cli import main

main()
