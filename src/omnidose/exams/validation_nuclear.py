"""What nuclear medicine must show."""

from __future__ import annotations

from collections.abc import Iterator

from omnidose.exams import validation_spect
from omnidose.exams.validation_pet import IMAGES, check_pet
from omnidose.modalities.nuclear.proofs import (
    absorbed_fractions,
    advice,
    bad_input,
    bad_series,
    bone,
    coverage,
    kernels,
    kinetics,
    kinetics_models,
    kinetics_uncertainty,
    nuclides,
    organs,
    organs_icrp110,
    partial_volume,
    patients,
    photon_transport,
    planning,
)
from omnidose.validation import Claim, Context, Row, Suite


def _fits(context: Context) -> Iterator[Row]:
    yield from kinetics.check_fits(context)
    yield from kinetics.check_single_time_point(context)
    yield from kinetics_models.check_biokinetics(context)


def _bad_input(context: Context) -> Iterator[Row]:
    yield from bad_input.check_bad_input(context)
    yield from bad_series.check(context)


SUITE = Suite(
    name="nuclear",
    title="Nuclear medicine: from activity to organ dose",
    claims=(
        Claim(
            name="chains",
            text="Decay chains: time integrals as radioactivedecay's to 1e-6, energies per decay to 0.1 %",
            check=nuclides.check_chains,
        ),
        Claim(
            name="catalogue",
            text="Nuclides: every row of the SINFONIA table beside the bundled data, disagreements listed",
            check=nuclides.check_catalogue,
        ),
        Claim(
            name="fits",
            text="Time-integrated activity to 0.5 % on the shared curves; one time point as published",
            check=_fits,
        ),
        Claim(
            name="bed",
            text="Lea-Catcheside G, BED and EQD2 to 0.2 % on the shared cases",
            check=kinetics.check_bed,
        ),
        Claim(name="kernel-balance", text="Dose kernels keep energy to 0.5 %", check=kernels.check_balance),
        Claim(
            name="kernel-voxels",
            text="Voxel S values: source and first neighbour of pure beta emitters within 3 % of Lanconelli "
            "and MIRD 17, photon tail within 10 %",
            check=kernels.check_voxels,
        ),
        Claim(name="kernel-spheres", text="Spheres of Lu-177 within 2 %", check=kernels.check_spheres),
        Claim(
            name="bone",
            text="Alphas and electrons of bone surfaces and trabeculae: closed forms to 0.5 %, balance "
            "0.5 %, electron Monte Carlo in plates to 10 %, at most 0.015 of the emitted energy",
            check=bone.check,
        ),
        Claim(
            name="kernel-time",
            text="A new nuclide and voxel size in 20 s cold and 0.2 s cached; a convolution of 128^3 in 2 s",
            check=kernels.check_time,
        ),
        Claim(
            name="photon-transport",
            text="Photon Monte Carlo of a Lu-177 SPECT: organs above 10 mL to 2 % in 60 s",
            check=photon_transport.check,
        ),
        Claim(
            name="absorbed-fractions",
            text="Specific absorbed fractions of photons on the equation-based adult: self 5 %, cross 15 %, "
            "reciprocity",
            check=absorbed_fractions.check_absorbed_fractions,
        ),
        Claim(
            name="organs-icrp110",
            text="Organ doses on ICRP 110: self 5 %, cross 10 to 25 % of IDAC and OLINDA; FDG 0.0171 mSv/MBq "
            "to 5 %",
            check=organs_icrp110.check_icrp110,
            only_full=True,
        ),
        Claim(
            name="organs-stylised",
            text="FDG on the equation-based adult: 0.019 mSv/MBq to 10 %",
            check=organs.check_fdg_stylised,
        ),
        Claim(
            name="patients",
            text="Simulated patients: organs to 5 % with known outlines, 10 % with outlines drawn wrongly "
            "(no segmenter), lesions above 10 mL to 10 %; quick, with a coarse camera: 10, 15, 20 %",
            check=patients.check,
        ),
        Claim(
            name="spect",
            text="Simulated SPECT/CT at four times, as DICOM: the job as a user runs it, with true masks; "
            "organs to 5 %, lesions above 10 mL to 10 %; quick, with a coarse camera: 10 and 20 %",
            check=validation_spect.check,
        ),
        Claim(
            name="coverage",
            text="95 % intervals cover the truth in 91 to 99 % of 200 synthetic patients, organ by organ",
            check=coverage.check,
        ),
        Claim(
            name="uncertainty",
            text="EANM 2018 chain: analytic as Monte Carlo to 5 %",
            check=kinetics_uncertainty.check_uncertainty,
        ),
        Claim(
            name="pet",
            text="A real whole-body FDG PET to organ doses, oddities resolved or asked for",
            check=check_pet,
            needs_reference=IMAGES,
            only_full=True,
        ),
        Claim(
            name="partial-volume",
            text="Organs of a blurred PET come back to 10 % with the blur wrong by 1.5 mm",
            check=partial_volume.check,
        ),
        Claim(
            name="planning",
            text="Therapy planning: published constants, worked cases and probabilities",
            check=planning.check,
        ),
        Claim(
            name="advice",
            text="Doses of the conceptus and breast-feeding: two sources side by side, every number with its "
            "grade",
            check=advice.check,
        ),
        Claim(
            name="bad-input",
            text="Bad input of nuclear medicine: one clear error each",
            check=_bad_input,
        ),
    ),
)
