"""What this room must show: the rows of ``omnidose validate ct``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from omnidose import data
from omnidose.anatomy.body import BodyModel, Organ, Origin
from omnidose.modalities.ct.exposure import CtScan, ScaleSource, ScanType
from omnidose.validation import Claim, Context, Row, Suite, within

#: Archive of the real chest CT inside the reference folder.
CHEST = "dicom/ct_chest_lidc_idri_0314_2mm.tar.xz"
ICRP110 = "icrp110"
WATER_DIAMETERS_CM = (15.0, 20.0, 25.0, 30.0, 35.0)
#: Publications whose phantoms match ours in size: organs inside the field within 20 %.
MATCHED, MATCHED_REL = ("Li", "Suzuki"), 0.20
#: Others: CT dose calculators differ by up to 60 % inside the field and up to a factor of five outside or at
#: its edge (Gao et al. 2017, BMC Med. Imaging 17:28, abstract).
UNMATCHED_REL, EDGE_FACTOR = 0.60, 5.0
EDGE_ORGANS = frozenset({("chest", "stomach")})
_SSDE = "AAPM Report 204, fit of the size factors (32 cm phantom)"


def helical_scan(z_low_mm: float, z_high_mm: float, **changes: Any) -> CtScan:
    """Return a generic 120 kV helical scan of a range, 1 mGy CTDIvol, without over-scan."""
    fields: dict[str, Any] = {
        "key": "validation",
        "scan_type": ScanType.HELICAL,
        "kv": 120.0,
        "collimation_mm": 20.0,
        "pitch": 1.0,
        "z_start_mm": z_low_mm,
        "z_end_mm": z_high_mm,
        "imaged_z_mm": (z_low_mm, z_high_mm),
        "phantom_cm": 32,
        "ctdivol_mgy": 1.0,
        "scale": ScaleSource.USER,
        "focus_mm": 570.0,
    }
    return CtScan(**(fields | changes))


def water_cylinder_dose(
    diameter_cm: float, *, scan_mm: float = 300.0, histories: int = 500_000
) -> tuple[float, float]:
    """Return the mean dose of the central 2 cm of a long water cylinder per CTDIvol, and its standard error.

    Parameters
    ----------
    diameter_cm
        Of the cylinder, which is 60 cm long and centred.
    scan_mm
        Length of the helical scan, centred on it.
    """
    from omnidose.beams.materials import WATER
    from omnidose.modalities.ct.scale import normalisation
    from omnidose.modalities.ct.source import fan_beam, scan_segments
    from omnidose.transport.engine import simulate
    from omnidose.transport.scene import Cylinder, Scene
    from omnidose.transport.tally import MGY_PER_KEV_G

    scan = helical_scan(-scan_mm / 2, scan_mm / 2)
    radius = 5 * diameter_cm
    shapes = tuple(
        Cylinder(key=key, material=WATER, centre_mm=(0.0, 0.0, 0.0), radius_mm=radius, length_mm=length)
        for key, length in (("water", 600.0), ("slice", 20.0))
    )
    source = fan_beam(scan).source(scan_segments(scan, 0.0))
    tally = simulate(Scene(shapes=shapes), source, histories=histories, seed=5)
    i = tally.index("slice")
    dose = float(tally.dose_kev_g[i]) * MGY_PER_KEV_G * normalisation(scan).particles
    return dose, float(tally.std_rel[i])


def check_water_cylinders(context: Context) -> Iterator[Row]:
    """Slice mean of long scans of water cylinders beside the size factors of AAPM 204."""
    from omnidose.modalities.ct.ssde import size_factor

    histories = 8_000_000 if context.full else 2_000_000
    for diameter, scan_mm in (*((d, 300.0) for d in WATER_DIAMETERS_CM), (20.0, 100.0)):
        ours, std = water_cylinder_dose(diameter, scan_mm=scan_mm, histories=histories)
        yield within(
            f"water cylinder {diameter:g} cm, scan of {scan_mm / 10:g} cm, slice mean / CTDIvol",
            ours,
            float(size_factor(diameter, 32)),
            unit="mGy/mGy",
            source=_SSDE,
            tolerance_rel=0.15 + 3 * std,
            note=f"beyond 15 % by less than three own standard errors ({100 * std:.2f} %) is not beyond; "
            "120 kV; the report's factors mix scans of several lengths",
        )


def check_ctdi_ratio(context: Context) -> Iterator[Row]:
    """Centre / periphery of the packaged bow-ties in the CTDI phantoms, with other random numbers."""
    from omnidose.beams.ctdi import simulate_ctdi
    from omnidose.modalities.ct.source import fan_beam

    for row in data.load("ct_bowtie").rows():
        phantom = round(row["phantom_cm"])
        scan = helical_scan(0.0, 10.0, bowtie=str(row["name"]), phantom_cm=phantom)
        histories = 4_000_000 if phantom == 32 else 1_500_000
        result = simulate_ctdi(
            fan_beam(scan), phantom, histories=histories * (4 if context.full else 1), seed=2
        )
        yield within(
            f"CTDI100 centre/periphery, {phantom} cm, bow-tie '{row['name']}', 120 kV",
            result.ratio,
            float(row["target_ratio"]),
            unit="1",
            source="target of the generic source (table ct_bowtie)",
            tolerance_rel=0.03,
            note=f"own standard error {100 * result.ratio_std_rel:.1f} %",
        )


def water_body(radius_mm: float = 100.0, length_mm: float = 200.0) -> BodyModel:
    """Return a small voxel body of water for quick checks."""
    from omnidose.beams.materials import WATER
    from omnidose.transport.scene import AIR
    from omnidose.volume import Grid

    n = round(2 * radius_mm / 5) + 4
    grid = Grid.centred((round(length_mm / 5), n, n), (5.0, 5.0, 5.0))
    x, y = grid.axis_mm(0)[None, :], grid.axis_mm(1)[:, None]
    inside = np.broadcast_to((x**2 + y**2 < radius_mm**2)[None], grid.shape_zyx)
    return BodyModel(
        name="water",
        grid=grid,
        materials=(AIR, WATER),
        material_index=np.ascontiguousarray(inside, dtype=np.uint8),
        density_g_cm3=np.where(inside, 0.998, AIR.density_g_cm3).astype(np.float32),
        labels=np.ascontiguousarray(inside, dtype=np.uint8),
        organs=(Organ(key="soft-tissue", label=1, origin=Origin.SEGMENTED),),
    )


def check_linear(_context: Context) -> Iterator[Row]:
    """The same scan at 4 and 12 mGy, and split into two scans of half the length."""
    from omnidose.modalities.ct.estimate import estimate

    body = water_body()
    doses = []
    for ctdivol, low, high in ((4.0, -60.0, 60.0), (12.0, -60.0, 60.0), (4.0, -60.0, 0.0), (4.0, 0.0, 60.0)):
        scan = helical_scan(low, high, ctdivol_mgy=ctdivol)
        histories = 400_000 if high - low > 100 else 200_000
        doses.append(estimate(scan, body, histories=histories).organ_doses.dose_of("soft-tissue"))
    yield within(
        "dose at 12 mGy / dose at 4 mGy CTDIvol",
        doses[1] / doses[0],
        3.0,
        unit="1",
        source="linearity",
        tolerance_rel=1e-6,
    )
    yield within(
        "two half scans / the whole scan",
        (doses[2] + doses[3]) / doses[0],
        1.0,
        unit="1",
        source="additivity",
        tolerance_rel=0.01,
        note="own standard error about 0.3 %",
    )


def body_of_ct(volume: Any) -> BodyModel:
    """Return a body without organs from a CT: tissues by CT number, label 1 inside the skin."""
    from omnidose.anatomy.ct_numbers import media_from_ct
    from omnidose.anatomy.segmentation.classical import find_body
    from omnidose.beams.fan import central_spectrum

    array, grid = np.asarray(volume.volume.array), volume.volume.grid
    body, couch = find_body(array.astype(np.float32), grid)
    media = media_from_ct(
        array, body_mask=body | couch, contrast="with", spectrum=central_spectrum(120.0, 7.75, 0.0, 8.0)
    )
    return BodyModel(
        name="patient",
        grid=grid,
        materials=media.materials,
        material_index=media.material_index,
        density_g_cm3=media.density_g_cm3,
        labels=body.astype(np.uint8),
        organs=(Organ(key="soft-tissue", label=1, origin=Origin.SEGMENTED),),
        frame_of_reference_uid=volume.volume.frame_of_reference_uid,
    )


def check_patient_ssde(context: Context) -> Iterator[Row]:
    """Mid-scan slice mean of the real chest beside SSDE from its water-equivalent diameter."""
    import tarfile
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from omnidose.dicom.ct_series import read_ct_series
    from omnidose.dicom.inventory import read_inventory
    from omnidose.modalities import ClaimKind
    from omnidose.modalities.ct.claims import claims
    from omnidose.modalities.ct.estimate import estimate, slice_mean_dose
    from omnidose.modalities.ct.ingest import ingest
    from omnidose.modalities.ct.ssde import size_factor, water_equivalent_diameter_cm

    assert context.reference is not None
    with TemporaryDirectory() as name:
        with tarfile.open(context.reference / CHEST) as archive:
            archive.extractall(Path(name), filter="data")
        with read_inventory(Path(name)) as inventory:
            (claim,) = [c for c in claims(inventory) if c.kind is ClaimKind.EXPOSURE and c.estimable]
            scan = ingest(claim)
            body = body_of_ct(read_ct_series(claim.payload.series, target_spacing_mm=4.0))
    result = estimate(scan, body, histories=2_000_000 if context.full else 600_000)
    assert result.dose_map is not None
    z = body.grid.axis_mm(2)
    middle = np.abs(z - 0.5 * sum(scan.imaged_z_mm)) <= 10.0
    ours = float(np.mean(slice_mean_dose(body, np.asarray(result.dose_map.volume.array))[middle]))
    diameter = float(np.mean(water_equivalent_diameter_cm(body)[middle]))
    yield within(
        "chest of LIDC-IDRI-0314, mid-scan slice mean / CTDIvol",
        ours,
        float(size_factor(diameter, 32)),
        unit="mGy/mGy",
        source=_SSDE,
        tolerance_rel=0.20,
        note=f"water-equivalent diameter {diameter:.1f} cm; 27 cm scan, body cut at its ends",
    )


def organ_range_mm(body: BodyModel, keys: tuple[str, ...]) -> tuple[float, float]:
    """Return the lowest and highest z of some organs of a body."""
    labels = [organ.label for organ in body.organs if organ.key in keys]
    rows = np.flatnonzero(np.isin(body.labels, labels).any(axis=(1, 2)))
    z = body.grid.axis_mm(2)
    return float(z[rows[0]]), float(z[rows[-1]])


def phantom_scans(body: BodyModel) -> dict[str, CtScan]:
    """Return chest, abdomen and head scans of an ICRP 110 phantom, 10 mm beyond their landmarks."""
    lungs = organ_range_mm(body, ("left-lung", "right-lung"))
    belly = organ_range_mm(body, ("liver", "spleen", "left-kidney", "right-kidney"))
    brain = organ_range_mm(body, ("brain",))
    low = min(brain[0], organ_range_mm(body, ("left-eye", "right-eye", "left-lens", "right-lens"))[0])
    return {
        "chest": helical_scan(lungs[0] - 10, lungs[1] + 10),
        "abdomen": helical_scan(belly[0] - 10, belly[1] + 10),
        "head": helical_scan(low - 10, brain[1] + 20, bowtie="head", phantom_cm=16),
    }


def check_icrp110(context: Context) -> Iterator[Row]:
    """ICRP 110 phantoms scanned chest, abdomen and head beside published organ doses per CTDIvol."""
    from omnidose.anatomy.icrp110 import load_reference_phantom
    from omnidose.modalities.ct.estimate import estimate

    published = data.load("ct_published_organ_doses").rows()
    for name, sex in (("AM", "male"), ("AF", "female")):
        body = load_reference_phantom(name)
        for scan_name, scan in phantom_scans(body).items():
            context.progress(f"ICRP 110 {name}, {scan_name}")
            result = estimate(scan, body, histories=2_000_000)
            for row in published:
                other = "female" if sex == "male" else "male"
                people = str(row["population"])
                if row["scan"] != scan_name or (other in people.split() and sex not in people.split()):
                    continue
                yield _published_row(f"{name} {scan_name}", row, result.organ_doses)


def _published_row(title: str, row: dict[str, Any], doses: Any) -> Row:
    organ = str(row["organ"])
    ours = doses.dose_of(organ)
    std = doses.statistical_std_mgy[doses.organs.index(organ)] / ours if ours > 0 else float("inf")
    low, high = float(row["low_mgy_mgy"]), float(row["high_mgy_mgy"])
    edge = (row["scan"], organ) in EDGE_ORGANS
    matched = str(row["short"]).startswith(MATCHED)
    if edge:
        bounds = (low / EDGE_FACTOR, high * EDGE_FACTOR)
    else:
        share = MATCHED_REL if matched else UNMATCHED_REL
        bounds = (low * (1 - share), high * (1 + share))
    return within(
        f"{title}: {organ} / CTDIvol ({row['short']})",
        ours,
        0.5 * (low + high),
        unit="mGy/mGy",
        source=str(row["source"]),
        bounds=bounds,
        note=f"{row['population']}; own standard error {100 * std:.1f} %"
        + ("; at the edge of the range: a trend only" if edge else ""),
    )


SUITE = Suite(
    name="ct",
    title="CT: source, scale and patients",
    claims=(
        Claim(
            name="water-cylinders",
            text="Absolute CT: water cylinders of 15 to 35 cm against AAPM 204 size factors within 15 %",
            check=check_water_cylinders,
        ),
        Claim(
            name="ctdi-ratio",
            text="CTDI centre/periphery ratio of the fitted source within 3 % of its target",
            check=check_ctdi_ratio,
        ),
        Claim(name="linear", text="Dose is linear in CTDIvol", check=check_linear),
        Claim(
            name="patient-ssde",
            text="Mid-scan slice mean of a real patient against SSDE within 20 %",
            check=check_patient_ssde,
            needs_reference=CHEST,
        ),
        Claim(
            name="icrp110-ct",
            text=(
                "ICRP 110 phantoms scanned chest, abdomen, head: organ doses per CTDIvol beside published "
                "ones"
            ),
            check=check_icrp110,
            needs_reference=ICRP110,
            only_full=True,
        ),
    ),
)
