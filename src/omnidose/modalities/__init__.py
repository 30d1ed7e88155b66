"""One folder per modality; none knows another."""
