"""What happens to activity in a body: administrations, time-activity curves, biokinetic models."""
