"""What the engine must show beyond its physics: the rows of ``omnidose validate engine``."""

from __future__ import annotations

from omnidose.transport.checks import (
    bad_input,
    cluster,
    distributions,
    electrons,
    estimators,
    gpu,
    one_source,
    oracle,
    outputs,
    precision,
    scaling,
    slabs,
    sources,
    speed,
    statistics,
)
from omnidose.validation import Claim, Suite

SUITE = Suite(
    name="engine",
    title="The engine: speed, errors, electrons, machines",
    claims=(
        Claim(
            name="peer-case2",
            text="TG-195 case 2, 120 kVp: raw rate at least 3 times XRayMClib's, through the plain engine",
            check=speed.check_case2,
            only_full=True,
        ),
        Claim(
            name="peer-chest",
            text=(
                "Chest of the ICRP 110 male, 500x300x300 voxels of 1 mm, 120 kVp rotating fan: raw rate at "
                "least 8 times XRayMClib's, efficiency 1/(sigma^2 T) for organs at least 15 times"
            ),
            check=speed.check_chest,
            only_full=True,
            needs_reference="icrp110/AM.npz",
        ),
        Claim(
            name="chest-ct-time",
            text=(
                "Chest CT of 256x256x150 voxels, 120 kVp helical: organs of at least 50 g wholly inside the "
                "scan to 1 % in 15 s, thyroid, adrenals, lenses and ovaries to 5 % in 60 s, warm, two cores"
            ),
            check=speed.check_chest_ct,
            only_full=True,
            needs_reference="icrp110/AF.npz",
        ),
        Claim(
            name="start",
            text="First result of a new process: 30 s with an empty compile cache, 3 s warm",
            check=speed.check_start,
            only_full=True,
        ),
        Claim(
            name="chi-square",
            text=(
                "40 seeds: mean reduced chi-square of at least ten independent tallies in [0.85, 1.15], "
                "each in [0.42, 1.92]"
            ),
            check=statistics.check,
        ),
        Claim(
            name="estimators",
            text=(
                "Expected-value, ray-traced-primary and analog results agree on every validation scene, "
                "iodine thyroid, breast skin and lung-bone edges included"
            ),
            check=estimators.check,
        ),
        Claim(
            name="memory",
            text="A body of 512x512x1000 voxels fits in 4 GB",
            check=scaling.check_memory,
            only_full=True,
        ),
        Claim(
            name="scaling",
            text="Cost linear in histories, and growing no faster than the cube root of the voxels",
            check=scaling.check_scaling,
            only_full=True,
        ),
        Claim(
            name="one-source",
            text=(
                "One kernel source for CPU and CUDA: the simulator agrees with the CPU on an 8^3 scene, "
                "the kernel compiles to PTX, Compton scattering stands in one place"
            ),
            check=one_source.check,
        ),
        Claim(
            name="gpu",
            text=(
                "On a GPU: at least 0.3e9 histories/s on the chest, organs as on the CPU "
                "(pooled chi-square, none beyond 4 sigma)"
            ),
            check=gpu.check,
        ),
        Claim(
            name="cluster",
            text="Dask: bit-identical for 1, 2 or 20 workers; a lost worker costs its batches and no more",
            check=cluster.check,
        ),
        Claim(
            name="precision",
            text="precision= by organ group: no early stop on a lucky estimate, a cap, a message",
            check=precision.check,
        ),
        Claim(name="sources", text="Every source and shape against a closed form", check=sources.check),
        Claim(
            name="electrons",
            text="Electrons against published ranges, kernels and spheres",
            check=electrons.check,
        ),
        Claim(
            name="outputs",
            text="Errors of voxels, covariances, fluence spectra, exit particles, balance",
            check=outputs.check,
        ),
        Claim(name="slabs", text="Slabs against closed forms", check=slabs.check),
        Claim(
            name="distributions",
            text="Klein-Nishina, S(x) and form-factor distributions and fluorescence yields against tables",
            check=distributions.check,
        ),
        Claim(name="oracle", text="The plain engine agrees on ten random scenes", check=oracle.check),
        Claim(
            name="bad-input",
            text="Bad input is refused in one sentence before any time is spent",
            check=bad_input.check,
        ),
    ),
)
