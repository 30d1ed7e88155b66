"""``omnidose nuclear kernel``: dose around a voxel, for any nuclide, voxel and medium."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from omnidose.errors import InputError, OutputError

if TYPE_CHECKING:
    from omnidose.transport.dose_kernels.voxels import VoxelKernel

#: Offsets (x, y, z) in voxels that the screen shows.
SHOWN = ((0, 0, 0), (1, 0, 0), (0, 0, 1), (1, 1, 0), (1, 1, 1), (2, 0, 0), (3, 0, 0), (5, 0, 0), (10, 0, 0))


def kernel(
    nuclide: Annotated[str, typer.Argument(help="Lu-177, Y-90, I-131 …")],
    voxel: Annotated[str, typer.Option(metavar="MM", help="Sides x, y, z in mm: 4.8x4.8x4.8, or 4.8.")],
    medium: Annotated[str, typer.Option(help="water, soft tissue, bone or lung.")] = "soft tissue",
    reach_mm: Annotated[
        float | None, typer.Option("--reach", metavar="MM", help="Half width of the photon kernel.")
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Without the progeny that decays with the nuclide.")
    ] = False,
    library: Annotated[
        str, typer.Option(help="decay2012 (bundled), or icrp107 (packages of its own to install).")
    ] = "decay2012",
    out: Annotated[
        Path | None, typer.Option(help="Write all values: .npz (both kernels) or .csv (one octant).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Make the voxel S values of a nuclide, and show whether they hold the energy that a decay sends out.

    Progeny that decays where and when the nuclide does is in them (Y-89m of Zr-89, the chain of Ra-223).
    """
    from omnidose.physics.nuclides import as_library
    from omnidose.physics.progeny import late_progeny, prompt_progeny
    from omnidose.transport.dose_kernels.nuclide_yields import yield_of
    from omnidose.transport.dose_kernels.voxels import voxel_s

    spacing, chosen = sides_mm(voxel), as_library(library)
    prompt, late = prompt_progeny(nuclide, chosen), late_progeny(nuclide, chosen)
    emitted = yield_of(nuclide, progeny={} if alone else prompt, library=chosen)
    made = voxel_s(emitted, spacing, medium=medium, reach_mm=reach_mm)
    notes = [f"not in these values: {late.sentence}"] if late.notable else []
    if alone and prompt:
        notes.append(f"not in these values either, as you asked: {', '.join(prompt)}")
    if out is not None:
        _write(made, out)
    content = {**_content(made), "library": chosen, "notes": notes}
    if as_json:
        print(json.dumps(content, indent=1, allow_nan=False))
        return
    _print(Console(), content, out)


def sides_mm(text: str) -> tuple[float, float, float]:
    """Return three sides of ``4.8x4.8x4.8`` or ``4.8``.

    Raises
    ------
    InputError
        If the text is neither.
    """
    try:
        sides = [float(part) for part in text.lower().replace("×", "x").split("x")]
    except ValueError:
        sides = []
    if len(sides) == 1:
        sides = sides * 3
    if len(sides) != 3:
        raise InputError(
            f"'{text}' is no size of a voxel",
            where="--voxel",
            allowed="for example 4.8x4.8x4.8, or 4.8, in mm",
        )
    return (sides[0], sides[1], sides[2])


def _content(made: VoxelKernel) -> dict[str, Any]:
    x, y, z = (len_ - 1 for len_ in made.photon_octant.shape[::-1])
    values = [
        {"offset_xyz": list(offset), "mgy_per_mbq_s": made.total_mgy(offset[::-1])}
        for offset in SHOWN
        if offset[0] <= x and offset[1] <= y and offset[2] <= z
    ]
    emitted = made.emitted_electron_kev + made.emitted_photon_kev + made.alpha_kev
    held = made.electron_kev + made.photon_kev + made.alpha_kev
    return {
        "nuclide": made.name,
        "medium": made.medium.name,
        "density_g_cm3": made.medium.density_g_cm3,
        "spacing_mm": list(made.spacing_mm),
        "voxel_g": made.voxel_g,
        "energy_per_decay_kev": {
            "electrons": {
                "sent_out": made.emitted_electron_kev,
                "turned_into_bremsstrahlung": made.radiated_kev,
                "in_kernel": made.electron_kev,
            },
            "photons": {
                "sent_out": made.emitted_photon_kev + made.radiated_kev,
                "in_kernel": made.photon_kev,
            },
            "alphas": {"sent_out": made.alpha_kev, "in_kernel": made.alpha_kev},
        },
        "energy_in_kernel_fraction": held / emitted,
        "electron_balance": made.electron_kev / (made.emitted_electron_kev - made.radiated_kev)
        if made.emitted_electron_kev > 0
        else None,
        "reach_mm": made.reach_mm,
        "values": values,
    }


def _print(console: Console, content: dict[str, Any], out: Path | None) -> None:
    sides = " x ".join(f"{s:g}" for s in content["spacing_mm"])
    console.print(
        f"[bold]{content['nuclide']}[/bold] in {content['medium']} ({content['density_g_cm3']:g} g/cm3), "
        f"voxels of {sides} mm",
        highlight=False,
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("voxels away (x, y, z)")
    table.add_column("mGy per MBq s", justify="right")
    for row in content["values"]:
        table.add_row(", ".join(map(str, row["offset_xyz"])), f"{row['mgy_per_mbq_s']:.4g}")
    console.print(table)
    energy = content["energy_per_decay_kev"]
    electrons, photons = energy["electrons"], energy["photons"]
    console.print(
        f"Energy per decay, keV: electrons {electrons['sent_out']:.5g} sent out, of it "
        f"{electrons['turned_into_bremsstrahlung']:.3g} radiated, {electrons['in_kernel']:.5g} in the kernel",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"photons with bremsstrahlung {photons['sent_out']:.5g} sent out, {photons['in_kernel']:.5g} within "
        f"{content['reach_mm']:g} mm; alphas {energy['alphas']['sent_out']:.5g}, all in the source voxel",
        highlight=False,
        soft_wrap=True,
    )
    for note in content["notes"]:
        console.print(f"[yellow]Note.[/yellow] {escape(note)}.", highlight=False, soft_wrap=True)
    if content["electron_balance"] is not None:
        console.print(f"Electrons kept: {100 * content['electron_balance']:.2f} %", highlight=False)
    if out is not None:
        console.print(f"Written to {out}", highlight=False)


def _write(made: VoxelKernel, out: Path) -> None:
    kind = out.suffix.lower()
    if kind not in (".npz", ".csv"):
        raise InputError(
            f"a kernel cannot be written as '{out.suffix}'", where="--out", allowed=".npz or .csv"
        )
    try:
        out.write_bytes(_archive(made) if kind == ".npz" else _octant_csv(made).encode("utf-8"))
    except OSError as error:
        raise OutputError(
            f"cannot write the kernel: {error.strerror}", where=str(out), todo="choose another place"
        ) from None


def _archive(made: VoxelKernel) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        nuclide=np.array(made.name),
        medium=np.array(made.medium.name),
        unit=np.array("mGy per MBq s, axes z, y, x, source voxel in the middle"),
        spacing_xyz_mm=np.array(made.spacing_mm),
        electron=made.electron,
        photon=made.photon,
        alpha_in_source_voxel=np.array(made.alpha_mgy),
    )
    return buffer.getvalue()


def _octant_csv(made: VoxelKernel) -> str:
    """Rows x, y, z (voxels away), electron, photon, alpha (mGy per MBq s), as far as either kernel goes."""
    import numpy as np

    shape = np.maximum(made.photon_octant.shape, made.electron_octant.shape)
    photon, electron = (
        np.pad(octant, [(0, int(n)) for n in shape - octant.shape])
        for octant in (made.photon_octant, made.electron_octant)
    )
    lines = ["x,y,z,electron_mgy_per_mbq_s,photon_mgy_per_mbq_s,alpha_mgy_per_mbq_s"]
    for z, y, x in np.ndindex(photon.shape):
        alpha = made.alpha_mgy if x == y == z == 0 else 0.0
        lines.append(f"{x},{y},{z},{electron[z, y, x]:.6g},{photon[z, y, x]:.6g},{alpha:.6g}")
    return "\n".join(lines) + "\n"
