"""From a calibrated time series of emission images to absorbed doses with their intervals."""
