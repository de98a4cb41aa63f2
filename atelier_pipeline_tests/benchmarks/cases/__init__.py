"""What is measured: each function sets up, times one thing, and gives its sample."""
