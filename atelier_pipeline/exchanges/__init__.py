"""One file per exchange: its addresses, messages and decoding as data and pure functions."""
