"""Rows of therapy planning: the calculus of probabilities, published constants, a patient with 177Lu."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp
from statistics import NormalDist

import numpy as np

from omnidose.data import load
from omnidose.dosimetry.bed import DoseRate, Repair, bed
from omnidose.kinetics.curves import TimeActivityCurve
from omnidose.kinetics.exponentials import Shape
from omnidose.kinetics.fits import fit_curve
from omnidose.modalities.nuclear.planning import blood, microspheres, thyroid
from omnidose.modalities.nuclear.planning.confidence import DosePerActivity
from omnidose.modalities.nuclear.planning.cycles import Course, GivenCycle
from omnidose.modalities.nuclear.planning.limits import Limit
from omnidose.modalities.nuclear.planning.verification import verify
from omnidose.modalities.nuclear.proofs._planning_refusals import refusal_rows
from omnidose.physics.nuclides import nuclide
from omnidose.quantities import AbsorbedDose, BiologicallyEffectiveDose
from omnidose.transport.dose_kernels.spheres import sphere_s
from omnidose.validation import Context, Row, within

_CLOSED = "closed form"
_Z90 = NormalDist().inv_cdf(0.9)
_S_PER_H = 3600.0


def check(context: Context) -> Iterator[Row]:
    """Probabilities by Monte Carlo and closed forms, constants of the literature, a patient."""
    yield from _probabilities()
    yield from _cycles()
    yield from _microspheres()
    yield from _thyroid()
    yield from _blood()
    yield from _patient()
    yield from refusal_rows()
    if context.full:
        yield from _body_again()


def _probabilities() -> Iterator[Row]:
    dose = DosePerActivity(name="kidneys", median_mgy_per_mbq=0.43, std_rel=0.35)
    drawn = 0.43 * np.exp(0.35 * np.random.default_rng(5).standard_normal(1_000_000))
    for limit_mgy, probability in ((23_000.0, 0.9), (23_000.0, 0.99)):
        activity_mbq = dose.largest_mbq(limit_mgy, probability)
        yield within(
            f"largest activity with which 23 Gy are kept with {probability:g}: share of draws that keep them",
            float((drawn * activity_mbq <= limit_mgy).mean()),
            probability,
            unit="1",
            source="a million draws of the log-normal dose per activity (0.43 Gy/GBq, 0.35)",
            bounds=(probability - 0.0015, probability + 0.0015),
        )
    activity_mbq = dose.least_mbq(10_000.0, 0.9)
    yield within(
        "least activity with which a target reaches 10 Gy with 0.9: share of draws that reach it",
        float((drawn * activity_mbq >= 10_000.0).mean()),
        0.9,
        unit="1",
        source="the same draws",
        bounds=(0.8985, 0.9015),
    )
    found = verify(
        dose, administered_mbq=7400, achieved_mgy=2500, achieved_std_rel=0.2, correlation_fraction=0.6
    )
    rng = np.random.default_rng(6)
    first, second = rng.standard_normal((2, 200_000))
    ratio = 0.2 * (0.6 * first + 0.8 * second) - 0.35 * first
    yield within(
        "achieved over planned, errors correlated by 0.6: standard deviation of the logarithm",
        found.ratio_std_rel,
        float(ratio.std()),
        unit="1",
        source="200 000 correlated draws",
        tolerance_rel=0.01,
    )


def _kidneys_bed() -> Limit:
    return Limit(
        organ="kidneys",
        value=BiologicallyEffectiveDose(40_000.0, 2.6),
        rate=DoseRate(amplitudes=(1.0,), half_lives_h=(50.0,)),
        repair=Repair(half_times_h=(2.8,)),
    )


def _cycles() -> Iterator[Row]:
    """What is common to all cycles scales them together, so that absorbed doses have a closed form."""
    dose_limit = Limit(organ="kidneys", value=AbsorbedDose(23_000.0))
    given = tuple(GivenCycle(activity_mbq=7400.0, dose_mgy=d, own_std_rel=0.0) for d in (3000.0, 3000.0))
    course = Course(limit=dose_limit, given=given, common_std_rel=0.15)
    yield within(
        "third cycle, 23 Gy, error common to all cycles: largest activity",
        course.largest_mbq(0.9),
        23_000.0 / (3000.0 / 7400.0 * exp(0.15 * _Z90)) - 2 * 7400.0,
        unit="MBq",
        source=f"{_CLOSED}: L / (f exp(z s)) less what was given",
        tolerance_rel=0.005,
    )
    limit = _kidneys_bed()
    certain = Course(limit=limit, given=given)
    next_mgy = certain.largest_mbq(0.9) * 3000.0 / 7400.0
    assert limit.rate is not None
    assert limit.repair is not None
    total = sum(
        float(bed(AbsorbedDose(d), alpha_beta_gy=2.6, rate=limit.rate, repair=limit.repair))
        for d in (3000.0, 3000.0, next_mgy)
    )
    yield within(
        "third cycle, 40 Gy BED, nothing uncertain: BED of all three at the largest activity",
        total / 1000,
        40.0,
        unit="Gy",
        source="omnidose.dosimetry.bed, added as BED",
        tolerance_rel=1e-6,
    )
    yield from _cycles_drawn(limit)


def _cycles_drawn(limit: Limit) -> Iterator[Row]:
    """Every uncertainty at once, drawn anew by another way: total BED at the planned activity."""
    doses_mgy, own, common, change, activity = (2900.0, 3300.0), (0.08, 0.12), 0.12, 0.15, 7400.0
    given = tuple(
        GivenCycle(activity_mbq=activity, dose_mgy=d, own_std_rel=u)
        for d, u in zip(doses_mgy, own, strict=True)
    )
    course = Course(limit=limit, given=given, common_std_rel=common, change_std_rel=change)
    largest_mbq = course.largest_mbq(0.9)
    rng = np.random.default_rng(77)
    shared, change_log = common * rng.standard_normal(400_000), change * rng.standard_normal(400_000)
    logs = [
        np.log(d) + shared + u * rng.standard_normal(400_000) for d, u in zip(doses_mgy, own, strict=True)
    ]
    per_mbq = np.exp((logs[0] + logs[1]) / 2 + change_log) / activity
    assert limit.rate is not None
    assert limit.repair is not None
    total = sum(
        bed(AbsorbedDose(dose), alpha_beta_gy=2.6, rate=limit.rate, repair=limit.repair).value
        for dose in (np.exp(logs[0]), np.exp(logs[1]), per_mbq * largest_mbq)
    )
    yield within(
        "third cycle, 40 Gy BED, own, common and future uncertainties: share of draws that keep the limit",
        float((total <= 40_000.0).mean()),
        0.9,
        unit="1",
        source="400 000 draws of cycles and their BED, no quantile of activities",
        bounds=(0.897, 0.903),
    )


def _microspheres() -> Iterator[Row]:
    joule = microspheres.complete_decay_mgy_g_per_mbq() / 1000
    emitter = nuclide("Y-90")
    yield within(
        "90Y, electron energy of complete decay",
        joule,
        49.67,
        unit="J/GBq",
        source="convention of guidelines and labels (49.67), others 49.38 to 49.8",
        bounds=(49.38, 49.8),
        note=f"{emitter.half_life_h:.2f} h and {emitter.electron_energy_per_decay_kev:.1f} keV (decay_2012); "
        "49.67 belongs to 64.1 h with 931.2 keV or 64.24 h with 929.2 keV",
    )
    yield within(
        "90Y in lungs of 1 kg: activity for 30 Gy",
        30.0 / joule * 1000,
        610.0,
        unit="MBq",
        source="label of glass microspheres; from memory, not read again",
        tolerance_rel=0.01,
    )
    model = microspheres.PartitionModel(
        lung_shunt_fraction=0.08,
        lung_shunt_std_rel=0.2,
        ratio=5.0,
        ratio_std_rel=0.25,
        tumour_g=200.0,
        tumour_std_rel=0.15,
        normal_g=1300.0,
        normal_std_rel=0.1,
        lung_g=1000.0,
        lung_std_rel=0.1,
    )
    lungs = model.lungs()
    assert lungs is not None
    found = {
        microspheres.TUMOUR: model.tumour(),
        microspheres.NORMAL_LIVER: model.normal_liver(),
        "lungs": lungs,
    }
    # by hand: 92 % of 1 GBq over 5 x 200 + 1300 g of normal liver
    normal = joule * 0.92 / 2.3
    worked = {microspheres.TUMOUR: 5 * normal, microspheres.NORMAL_LIVER: normal, "lungs": joule * 0.08}
    drawn = model.sampled_mgy_per_mbq(draws=200_000)
    for name, dose in found.items():
        yield within(
            f"partition model, shunt 8 %, ratio 5, 200 g in 1500 g: {name} per GBq",
            dose.median_mgy_per_mbq,
            worked[name],
            unit="Gy/GBq",
            source=f"{_CLOSED}: Ho 1996 with the masses and shares by hand",
            tolerance_rel=1e-9,
        )
        yield within(
            f"partition model, {name}: relative uncertainty, first order beside draws",
            dose.std_rel,
            float(np.log(drawn[name]).std()),
            unit="1",
            source="200 000 draws of shunt, ratio and masses",
            tolerance_rel=0.05,
        )


def _thyroid() -> Iterator[Row]:
    per_mbq_d = thyroid.thyroid_mgy_g_per_mbq_h(20.0) * 24 / 1000
    yield within(
        "131I in a thyroid of 20 g: energy of complete absorption of its own radiation",
        per_mbq_d,
        2.808,
        unit="Gy g/(MBq d)",
        source="EANM 2013, Eur J Nucl Med Mol Imaging 40:1126; from memory, not read again",
        tolerance_rel=0.03,
        note="ours: one sphere; another shape keeps fewer photons",
    )
    yield within(
        "constant of Marinelli's formula, 20 g",
        thyroid.marinelli_constant(20.0),
        24.7,
        unit="MBq % d/(Gy g)",
        source="guidelines: 24.7 to 24.8; from memory, not read again",
        tolerance_rel=0.03,
    )
    time_h = np.array([2.0, 6.0, 24.0, 48.0, 96.0, 168.0])
    slow_h, fast_h, plateau = 140.0, 5.0, 0.6
    shares = plateau * (2 ** (-time_h / slow_h) - 2 ** (-time_h / fast_h))
    integral = thyroid.integral_from_uptakes(time_h.tolist(), shares.tolist(), std_rel=0.03)
    yield within(
        "six uptakes of a known curve: decays per activity",
        integral.value_mbq_h,
        plateau * (slow_h - fast_h) / np.log(2),
        unit="h",
        source=_CLOSED,
        tolerance_rel=0.001,
    )
    one = thyroid.integral_from_uptake(float(shares[2]), slow_h)
    yield within(
        "the same curve by Marinelli (24 h and the half-life): decays per activity",
        one.value_mbq_h,
        integral.value_mbq_h,
        unit="h",
        source="six uptakes",
        bounds=(0.85 * integral.value_mbq_h, integral.value_mbq_h * 1.1),
    )


def _blood() -> Iterator[Row]:
    own = blood.blood_terms("I-131")
    yield within(
        "131I, photons of the whole body: coefficient times M^(2/3)",
        own.body_mgy_kg23_per_mbq_h,
        blood.EANM_2008[1],
        unit="Gy kg^(2/3)/(GBq h)",
        source="EANM 2008, Eur J Nucl Med Mol Imaging 35:1405; from memory, not read again",
        tolerance_rel=0.03,
        note="our photon Monte Carlo of the equation-based male",
    )
    as_gram = blood.blood_terms("I-131", blood_g_cm3=1.0).blood_mgy_cm3_per_mbq_h
    yield within(
        "131I, electrons in blood: coefficient",
        own.blood_mgy_cm3_per_mbq_h,
        blood.EANM_2008[0],
        unit="Gy mL/(GBq h)",
        source="EANM 2008; from memory, not read again",
        tolerance_rel=0.05,
        note=f"with 1.06 g/mL; {as_gram:.1f} if 1 mL is taken as 1 g: the published one lies between",
    )
    lutetium = blood.blood_terms("Lu-177", blood_g_cm3=1.0)
    yield within(
        "177Lu, electrons in blood, 1 mL taken as 1 g: coefficient",
        lutetium.blood_mgy_cm3_per_mbq_h,
        85.3,
        unit="Gy mL/(GBq h)",
        source="Eberlein et al. 2015 (177Lu in blood); from memory, not read again",
        tolerance_rel=0.01,
    )
    yield within(
        "177Lu, photons of the whole body: coefficient times M^(2/3)",
        lutetium.body_mgy_kg23_per_mbq_h,
        0.00185,
        unit="Gy kg^(2/3)/(GBq h)",
        source="Eberlein et al. 2015; from memory, not read again",
        tolerance_rel=0.06,
        note="decay_2012 has 33.4 keV of photons per decay, ICRP 107 has 35.1: 5 % less",
    )
    in_blood = blood.BLOOD_SHARE * 21.97 / blood.blood_volume_cm3("F", height_cm=160, weight_kg=60)
    dose = own.blood_mgy_cm3_per_mbq_h * in_blood + own.body_mgy_per_mbq_h(60.0) * 21.97
    yield within(
        "131I, 23 women off thyroxine, residence 21.97 h in the body: dose to blood",
        dose,
        0.118,
        unit="Gy/GBq",
        source="PMC5020787, abstract: 0.118 with a standard deviation of 0.025",
        bounds=(0.118 - 0.025, 0.118 + 0.025),
        note="14 % of the body's decays in blood; 60 kg and 160 cm are our assumption",
    )


def _patient() -> Iterator[Row]:
    """Left kidney of a patient: four SPECT to decays, decays to dose in a sphere of its mass."""
    table = load("therapy_patient")
    mine = table["region"] == "kidney-left"
    curve = TimeActivityCurve.with_relative_std(
        table["time_h"][mine], table["activity_mbq"][mine], std_rel=0.05, name="left kidney"
    )
    emitter = nuclide("Lu-177")
    integral = fit_curve(curve, Shape.UPTAKE, half_life_h=emitter.half_life_h).integral
    yield within(
        "177Lu patient, left kidney: time-integrated activity",
        integral.value_mbq_h,
        float(table["integral_mbq_h"][mine][0]),
        unit="MBq h",
        source="PyTheranostics, the same shape",
        tolerance_rel=0.005,
    )
    mass_g = 1.05 * float(table["volume_cm3"][mine].mean())
    per_mbq_h = sphere_s("Lu-177", mass_g).total_mgy * _S_PER_H
    dose_gy = per_mbq_h * integral.value_mbq_h / 1000
    yield within(
        "177Lu patient, left kidney: dose",
        dose_gy,
        2.6,
        unit="Gy",
        source="electron energy of the decays over the mass, by hand, photons left out",
        tolerance_rel=0.03,
        note=f"{mass_g:.0f} g, 1.05 g/mL; photons of its own included",
    )
    yield within(
        "177Lu patient, left kidney: dose over that of a kernel that keeps too much energy",
        dose_gy / 2.741417,
        0.95,
        unit="1",
        source="PyTheranostics, its kernel 3 to 7 % high",
        bounds=(1 / 1.07, 1 / 1.03),
    )


def _body_again() -> Iterator[Row]:
    """The table of photons kept by a body holds single energies: whole spectra anew, in finer voxels."""
    from omnidose.anatomy.stylised.make import make_phantom
    from omnidose.transport.dose_kernels.photon_transport import transport_photons
    from omnidose.transport.scene import VoxelGrid
    from omnidose.transport.tally import Region
    from omnidose.volume import Volume

    side_mm = 6.0
    body = make_phantom("M", voxel_mm=side_mm)
    inside = body.labels > 0
    mass = np.where(inside, body.density_g_cm3, 0.0).astype(np.float64)
    body_kg = float(mass.sum()) * (side_mm / 10) ** 3 / 1000
    voxels = VoxelGrid(
        grid=body.grid,
        materials=body.materials,
        material_index=body.material_index,
        density_g_cm3=body.density_g_cm3,
    )
    activity = Volume(array=mass / mass.sum(), affine_lps_mm=body.grid.affine_lps_mm)
    region = Region(key="body", voxels=np.flatnonzero(inside.ravel()))
    for name in ("I-131", "Lu-177"):
        found = transport_photons(
            activity, name, voxels, regions=[region], histories=1e6, voxel_map=False, seed=11
        )
        yield within(
            f"{name}, photons of the whole body: coefficient from the table of energies",
            blood.blood_terms(name).body_mgy_kg23_per_mbq_h,
            found.of("body") * _S_PER_H * body_kg ** (2 / 3),
            unit="Gy kg^(2/3)/(GBq h)",
            source="its whole spectrum with bremsstrahlung, 6 mm voxels, a million photons",
            tolerance_rel=0.02,
        )
