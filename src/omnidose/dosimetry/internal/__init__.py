"""Dose from activity inside the body, organ by organ: absorbed fractions, S values, organ doses.

See ``docs/methods/organ-level.md``.
"""
