"""CT: what was done, the source, the estimate."""
