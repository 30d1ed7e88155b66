"""X-ray beams: filtration, bow-tie, heel, fan beams, and the normalisations they share."""
