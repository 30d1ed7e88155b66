"""From tallies to doses: dose maps, organ doses, DVH, weighted sums."""
