"""The ICRP 110 adult reference phantoms: import what a user downloaded, load it as a ``BodyModel``.

The arrays are copyright ICRP and never part of omnidose: a user gets the supplement of ICRP
Publication 110 from the ICRP and imports the zip or folder once.

References
----------
ICRP Publication 110 (2009) *Adult reference computational phantoms*, Ann. ICRP 39(2): tables A.1
and A.2 (organ identification numbers, media), chapter 5 and table 5.1 (voxels, masses).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from omnidose.anatomy import skeleton
from omnidose.anatomy.body import BodyModel, BodyRegion, Organ, Origin, Person
from omnidose.anatomy.icrp110_files import PhantomData, find_phantom, read_source, write_phantom
from omnidose.data import user_data_dir
from omnidose.errors import DataError, InputError
from omnidose.physics.materials import Material
from omnidose.volume import Grid

#: Organ identification numbers -> canonical organ: the merge rule. Walls and contents stay apart;
#: cortical bone, spongiosa and medullary cavity of a site are one organ (the marrow is a region);
#: the blood of the lungs (96, 98) is not lung tissue; 141 (top and bottom skin) is outside.
ORGAN_IDS: dict[str, tuple[int, ...]] = {
    "left-adrenal": (1,),
    "right-adrenal": (2,),
    "anterior-nasal-passage": (3,),
    "posterior-nasal-passage": (4,),
    "oral-mucosa": (5, 6),
    "trachea": (7,),
    "bronchi": (8,),
    "blood-vessels": (9, 10, 11, 12),
    "humeri-upper": (13, 14, 15),
    "humeri-lower": (16, 17, 18),
    "forearm-bones": (19, 20, 21),
    "hand-bones": (22, 23),
    "clavicles": (24, 25),
    "cranium": (26, 27),
    "femora-upper": (28, 29, 30),
    "femora-lower": (31, 32, 33),
    "lower-leg-bones": (34, 35, 36),
    "foot-bones": (37, 38),
    "mandible": (39, 40),
    "pelvis": (41, 42),
    "ribs": (43, 44),
    "scapulae": (45, 46),
    "cervical-spine": (47, 48),
    "thoracic-spine": (49, 50),
    "lumbar-spine": (51, 52),
    "sacrum": (53, 54),
    "sternum": (55, 56),
    "cartilage": (57, 58, 59, 60),
    "brain": (61,),
    "left-breast": (62, 63),
    "right-breast": (64, 65),
    "left-lens": (66,),
    "left-eye": (67,),
    "right-lens": (68,),
    "right-eye": (69,),
    "gall-bladder": (70,),
    "gall-bladder-contents": (71,),
    "stomach": (72,),
    "stomach-contents": (73,),
    "small-intestine": (74,),
    "small-intestine-contents": (75,),
    "ascending-colon": (76,),
    "transverse-colon": (78, 80),
    "descending-colon": (82,),
    "sigmoid-colon": (84,),
    "rectum": (86,),
    "colon-contents": (77, 79, 81, 83, 85),
    "heart": (87,),
    "heart-contents": (88,),
    "left-kidney": (89, 90, 91),
    "right-kidney": (92, 93, 94),
    "liver": (95,),
    "left-lung": (97,),
    "right-lung": (99,),
    "lung-blood": (96, 98),
    "lymph-nodes": (100, 101, 102, 103, 104, 105),
    "muscle": (106, 107, 108, 109),
    "oesophagus": (110,),
    "left-ovary": (111,),
    "right-ovary": (112,),
    "pancreas": (113,),
    "pituitary": (114,),
    "prostate": (115,),
    "adipose-tissue": (116, 117, 118, 119),
    "left-salivary-glands": (120,),
    "right-salivary-glands": (121,),
    "skin": (122, 123, 124, 125),
    "spinal-cord": (126,),
    "spleen": (127,),
    "teeth": (128,),
    "left-testis": (129,),
    "right-testis": (130,),
    "thymus": (131,),
    "thyroid": (132,),
    "tongue": (133,),
    "tonsils": (134,),
    "left-ureter": (135,),
    "right-ureter": (136,),
    "bladder": (137,),
    "bladder-contents": (138,),
    "uterus": (139,),
    "air-in-body": (140,),
}
#: Skeletal site -> identification number of its spongiosa or medullary cavity.
MARROW_IDS: dict[str, int] = {
    "humeri-upper": 14,
    "humeri-upper-medullary": 15,
    "humeri-lower": 17,
    "humeri-lower-medullary": 18,
    "forearm-bones": 20,
    "forearm-bones-medullary": 21,
    "hand-bones": 23,
    "clavicles": 25,
    "cranium": 27,
    "femora-upper": 29,
    "femora-upper-medullary": 30,
    "femora-lower": 32,
    "femora-lower-medullary": 33,
    "lower-leg-bones": 35,
    "lower-leg-bones-medullary": 36,
    "foot-bones": 38,
    "mandible": 40,
    "pelvis": 42,
    "ribs": 44,
    "scapulae": 46,
    "cervical-spine": 48,
    "thoracic-spine": 50,
    "lumbar-spine": 52,
    "sacrum": 54,
    "sternum": 56,
}
OUTSIDE_SKIN_ID = 141
PERSONS = {
    "AM": Person(sex="M", height_cm=176.0, weight_kg=73.0),
    "AF": Person(sex="F", height_cm=163.0, weight_kg=60.0),
}
#: Dry air near sea level, as in ``transport.scene.AIR``.
_AIR = Material(
    name="air",
    weight_fractions={6: 0.000124, 7: 0.755268, 8: 0.231781, 18: 0.012827},
    density_g_cm3=0.001205,
)


def phantom_dir() -> Path:
    """Return the folder in the user's data folder that holds imported ICRP 110 phantoms."""
    return user_data_dir() / "phantoms" / "icrp110"


def import_phantom(path: Path | str, destination: Path | None = None) -> tuple[Path, ...]:
    """Import the ICRP 110 phantoms from the zip or folder that the user got from the ICRP.

    Parameters
    ----------
    path
        Zip file (also one that holds zips) or folder with ``AM.dat`` or ``AF.dat`` and their
        ``_organs.dat``, ``_media.dat``, ``_spongiosa.dat`` and ``_blood.dat``.
    destination
        Folder to write to; the user's data folder by default.

    Returns
    -------
    tuple of Path
        The files written, one per phantom.

    Raises
    ------
    InputError
        If nothing usable is there.
    DataError
        If counts, identification numbers or masses are not those of the publication. Then nothing
        is written.
    """
    found = read_source(Path(path))
    return write_phantom(found, destination or phantom_dir(), source=Path(path))


def load_reference_phantom(
    name: str, *, folder: Path | None = None, surroundings: Material = _AIR
) -> BodyModel:
    """Load an ICRP 110 phantom.

    Parameters
    ----------
    name
        ``AM`` (male) or ``AF`` (female).
    folder
        Where to look first; then the user's data folder, then the developers' reference folder.
    surroundings
        Material of the voxels outside the body.

    Returns
    -------
    BodyModel
        On a grid with z = 0 at the soles' face and x = y = 0 in the middle; LPS without flips.
        Regions ``red-marrow/<site>`` and ``endosteum/<site>`` carry the response functions of
        ICRP 116.

    Raises
    ------
    InputError
        If the phantom is not installed.
    """
    if name not in PERSONS:
        raise InputError(f"there is no ICRP 110 phantom '{name}'", allowed="AM or AF")
    return body_of(find_phantom(name, folder, phantom_dir()), surroundings)


def has_reference_phantom(name: str) -> bool:
    """Return whether ``load_reference_phantom`` would find this phantom."""
    try:
        find_phantom(name, None, phantom_dir())
    except InputError:
        return False
    return True


def body_of(data: PhantomData, surroundings: Material = _AIR) -> BodyModel:
    """Make the ``BodyModel`` of a phantom's raw data."""
    nz, ny, nx = data.organ_id.shape
    dx, dy, dz = data.voxel_mm
    grid = Grid(
        shape_zyx=(nz, ny, nx),
        spacing_mm=data.voxel_mm,
        origin_mm=(-(nx - 1) * dx / 2, -(ny - 1) * dy / 2, dz / 2),
    )
    medium_of_id = np.zeros(256, dtype=np.uint8)
    density_of_id = np.full(256, surroundings.density_g_cm3, dtype=np.float32)
    for organ_id, (_title, medium, density) in data.organs.items():
        medium_of_id[organ_id] = medium
        density_of_id[organ_id] = density
    medium_of_id[[0, OUTSIDE_SKIN_ID]] = 0
    density_of_id[[0, OUTSIDE_SKIN_ID]] = surroundings.density_g_cm3
    label_of_id = np.zeros(256, dtype=np.uint8)
    counts = np.bincount(data.organ_id.ravel(), minlength=256)
    organs: list[Organ] = []
    for key, ids in ORGAN_IDS.items():
        if sum(counts[i] for i in ids) == 0:
            continue
        label = len(organs) + 1
        label_of_id[list(ids)] = label
        organs.append(Organ(key=key, label=label, origin=Origin.PHANTOM))
    return BodyModel(
        name=f"ICRP 110 {data.name}",
        grid=grid,
        materials=(surroundings, *_media(data)),
        material_index=medium_of_id[data.organ_id],
        density_g_cm3=density_of_id[data.organ_id],
        labels=label_of_id[data.organ_id],
        organs=tuple(organs),
        regions=tuple(_skeletal_regions(data, grid)),
        person=PERSONS[data.name],
        notes=(
            "ICRP 110 adult reference phantom, copyright ICRP",
            "the extra skin on the first and last slice (identification number 141) is left out",
        ),
    )


def _media(data: PhantomData) -> list[Material]:
    """Return the media 1 to n; a medium's density is that of the first organ made of it."""
    density: dict[int, float] = {}
    for _title, medium, rho in data.organs.values():
        density.setdefault(medium, rho)
    numbers = sorted(data.media)
    if numbers != list(range(1, len(numbers) + 1)):
        raise DataError("the media of the phantom are not numbered from 1 without gaps", where=data.name)
    out = []
    for number in numbers:
        title, fractions = data.media[number]
        total = sum(fractions.values())
        out.append(
            Material(
                name=f"{data.name} {title}",
                weight_fractions={z: w / total for z, w in fractions.items()},
                density_g_cm3=density.get(number, 1.0),
            )
        )
    return out


def _skeletal_regions(data: PhantomData, grid: Grid) -> list[BodyRegion]:
    """Return marrow and endosteum by site: shares of the voxels' masses, response by site.

    Marrow's share is the phantom's own mass fraction (ICRP 110, table of spongiosa); endosteum's
    is the reference mass of ICRP 116, table 3.2, spread evenly over the site's spongiosa or cavity.
    """
    flat = data.organ_id.ravel()
    endosteum = skeleton.target_mass_g("endosteum", PERSONS[data.name].sex)
    regions = []
    for site, organ_id in MARROW_IDS.items():
        voxels = np.flatnonzero(flat == organ_id).astype(np.int64)
        if voxels.size == 0:
            continue
        _title, medium, density = data.organs[organ_id]
        mass_g = voxels.size * grid.voxel_volume_cm3 * density
        shares = {
            "red-marrow": data.red_marrow_fraction.get(medium, 0.0),
            "endosteum": endosteum.get(site, 0.0) / mass_g,
        }
        for target, share in shares.items():
            if share > 0:
                regions.append(
                    BodyRegion(
                        key=f"{target}/{site}",
                        voxels=voxels,
                        weights=_constant(voxels.size, share),
                        response=f"{target}/{site}",
                        origin=Origin.PHANTOM,
                    )
                )
    return regions


def _constant(size: int, value: float) -> npt.NDArray[np.float32]:
    return np.full(size, value, dtype=np.float32)
