"""Tests; the folders mirror those of atelier_pipeline."""
