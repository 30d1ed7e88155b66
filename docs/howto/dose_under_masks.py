"""Read the results of a job again: dose at a place, and the mean dose under a mask of your own.

python dose_under_masks.py RESULT_FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np

from omnidose.dicom.masks import read_masks
from omnidose.dicom.nifti import read_nifti

folder = Path(sys.argv[1])
document = json.loads((folder / "organ_doses.json").read_text("utf-8"))
for row in document["total"] or []:
    print(f"{row['organ']:>12}: {row['dose_mgy']:.3g} ± {row['std_mgy']:.2g} {row['unit']}")

dose, _names = read_nifti(folder / "dose.nii.gz")  # [z, y, x], LPS mm
masks = read_masks(folder / "organs.dcm", dose.grid)  # any SEG, RTSTRUCT or NIfTI masks
lungs = masks.mask("left-lung") | masks.mask("right-lung")
print(f"volume mean of the dose map in both lungs: {np.mean(dose.array[lungs]):.3g}")
