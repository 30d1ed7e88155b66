"""DICOM objects in and out: no network, no modality."""
