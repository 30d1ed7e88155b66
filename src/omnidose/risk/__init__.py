"""Lifetime attributable risk (first version: BEIR VII)."""
