"""X-ray tube, filters, bow-tie, and the normalisations that X-ray modalities share."""
