"""The vocabulary: what a market fact is, and what keeps a book whole."""
