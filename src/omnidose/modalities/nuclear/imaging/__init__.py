"""A simulated SPECT camera and simulated patients whose truth is known."""
