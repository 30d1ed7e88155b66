"""THE JOB: survey, plan, run, write."""
