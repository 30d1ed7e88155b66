"""Dose events of a person; sums over a lifetime come with a later issue."""
