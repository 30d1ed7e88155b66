"""Checks behind ``omnidose validate engine``: one module for each group of claims."""
