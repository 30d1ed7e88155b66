"""Bodies: organ vocabulary, CT numbers to media, phantoms, segmentation and completion."""
