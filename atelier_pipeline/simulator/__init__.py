"""Simulated exchanges: one seeded market, served over each exchange's own protocol."""
