"""Segmentation of a CT: classical masks, and a fitted phantom refined with the CT numbers."""

from __future__ import annotations

from omnidose.anatomy.segmentation.segment import Segmentation, dice_coefficient, segment

__all__ = ["Segmentation", "dice_coefficient", "segment"]
