"""Therapy planning: from dose per activity, with its uncertainty, to the activity of a therapy.

A dose per activity is log-normal: its best estimate is the median, its relative standard uncertainty the
standard deviation of its logarithm. Every activity comes with the probability that a limit is kept, or a goal
reached, with it. Doses are absorbed doses or BED of organs; effective dose is refused
(:func:`~omnidose.modalities.nuclear.planning.refusals.effective_dose`).
"""
