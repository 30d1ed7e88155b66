"""``omnidose phantom make`` and ``list``: bodies from equations, written as NIfTI with a table of organs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from omnidose.errors import OutputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from omnidose.anatomy.body import BodyModel


def make(
    out: Annotated[Path, typer.Argument(help="New folder for the phantom.")],
    sex: Annotated[str, typer.Option(help="M, F or hermaphrodite.")] = "F",
    age: Annotated[float | None, typer.Option(help="Age in years; left out: adult.")] = None,
    height_cm: Annotated[float | None, typer.Option(help="Height, cm.")] = None,
    weight_kg: Annotated[float | None, typer.Option(help="Weight, kg.")] = None,
    voxel_mm: Annotated[float, typer.Option(help="Voxel edge, mm.")] = 3.0,
    arms: Annotated[str, typer.Option(help="down or up.")] = "down",
    ct_like: Annotated[bool, typer.Option(help="With subcutaneous fat and trachea.")] = False,
    head: Annotated[
        str | None,
        typer.Option(help="1987 (no neck) or 1996 (neck); default: 1996 if --ct-like, else 1987."),
    ] = None,
    kv: Annotated[float, typer.Option(help="Tube voltage of the synthetic CT numbers, kV.")] = 120.0,
    noise_hu: Annotated[float, typer.Option(help="Noise of the synthetic CT numbers, HU.")] = 0.0,
) -> None:
    """Make a phantom of any size and write labels, density and CT numbers."""
    from omnidose.anatomy.stylised import make_phantom, stylised_to_hu

    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise OutputError(
            f"'{out}' already holds something", allowed="a new or empty folder", todo="choose another name"
        )
    body = make_phantom(
        sex,
        age_y=age,
        height_cm=height_cm,
        weight_kg=weight_kg,
        voxel_mm=voxel_mm,
        arms=arms,
        ct_like=ct_like,
        head=head,
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write_nifti(out / "labels.nii.gz", body.labels, body)
        _write_nifti(out / "density.nii.gz", body.density_g_cm3, body)
        _write_nifti(out / "ct.nii.gz", stylised_to_hu(body, kv, noise_hu=noise_hu), body)
        _write_organs(out / "organs.csv", body)
    except OSError as error:
        raise OutputError(
            f"cannot write the phantom: {error.strerror}", where=str(out), todo="choose another folder"
        ) from None
    console = Console()
    person = body.person
    console.print(
        f"{body.name}: {person.height_cm:g} cm, {person.weight_kg:g} kg, {len(body.organs)} organs, "
        f"voxels {body.grid.shape_zyx}",
        highlight=False,
    )
    for note in body.notes:
        console.print(f"[dim]- {note}[/dim]", highlight=False)
    console.print(f"Written to {out}", highlight=False)


def list_phantoms(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """List the phantoms that the equations give, by age and sex."""
    from omnidose.anatomy.stylised import COLUMNS, reference_dimensions

    rows: list[dict[str, Any]] = []
    for column, age in COLUMNS.items():
        for sex in ("M", "F"):
            d = reference_dimensions(sex, None if column == "adult" else age)
            verified = "volumes, most positions" if column == "adult" else "volumes; positions UNVERIFIED"
            rows.append(
                {
                    "phantom": f"stylised {column}",
                    "sex": sex,
                    "height_cm": round(d.height_cm, 1),
                    "weight_kg": round(d.mass_kg, 1),
                    "verified": verified,
                }
            )
    if as_json:
        print(json.dumps({"phantoms": rows, "any_size": True}, indent=1))
        return
    table = Table()
    for title in rows[0]:
        table.add_column(title)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console = Console()
    console.print(table)
    console.print("Any age between these and any height and weight: omnidose phantom make --help")


def _write_nifti(path: Path, array: npt.NDArray[Any], body: BodyModel) -> None:
    """Write [z, y, x] as NIfTI: index order x, y, z and RAS axes (x and y of LPS change sign)."""
    import nibabel
    import numpy as np

    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ body.grid.affine_lps_mm
    image = nibabel.Nifti1Image(np.ascontiguousarray(array.transpose(2, 1, 0)), affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def _write_organs(path: Path, body: BodyModel) -> None:
    masses = body.organ_mass_g
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["label", "organ", "mass_g"])
        for organ in body.organs:
            writer.writerow([organ.label, organ.key, f"{masses[organ.key]:.4g}"])
