"""What captures survive, and that their ledgers tell the truth."""
