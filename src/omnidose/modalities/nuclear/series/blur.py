"""The blur of the images: said by a person from a phantom, or assumed with a wide uncertainty."""

from __future__ import annotations

from omnidose.modalities.nuclear.series.exam import SeriesExam
from omnidose.modalities.nuclear.series.recovery import ImageBlur

#: Standard uncertainty of a blur that was measured with spheres, mm FWHM: it changes with size and place
#: (spheres of 2 to 100 mL of our own camera scatter by 1.3 mm).
MEASURED_STD_MM = 1.5
#: Blur and its standard uncertainty where nobody said one, mm FWHM: reconstructed SPECT 10 to 14 mm, with
#: resolution recovery less; PET 5 to 8 mm. Our assumption.
ASSUMED_MM = {"NM": (12.0, 3.0), "PT": (6.5, 1.5)}


def blur_of(exam: SeriesExam) -> tuple[ImageBlur, str]:
    """Return the blur and a sentence that says where it comes from."""
    modality = exam.points[exam.reference].modality
    if exam.image_fwhm_mm is not None:
        blur = ImageBlur(fwhm_mm=exam.image_fwhm_mm, std_mm=MEASURED_STD_MM)
        return blur, (
            f"The images are blurred by {blur.fwhm_mm:g} mm (FWHM), as was said; with size and place of what "
            f"is seen it changes by {blur.std_mm:g} mm (one standard deviation)"
        )
    width, std = ASSUMED_MM[modality]
    return ImageBlur(fwhm_mm=width, std_mm=std), (
        f"Nobody said how blurred the images are: {width:g} mm (FWHM) with a standard deviation of {std:g} "
        "mm are assumed. Measure spheres of known activity and say image_fwhm_mm"
    )


def is_assumed(exam: SeriesExam) -> bool:
    """Whether the blur is an assumption."""
    return exam.image_fwhm_mm is None
