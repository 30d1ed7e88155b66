"""What is behind ``omnidose validate nuclear``: one module for each subject."""
