"""What nuclides are used for in medicine, how they are made, and which belong together.

Tables ``nuclides_catalogue``, ``nuclides_pairs`` and ``nuclides_generators``; sources stand in every row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from omnidose.data import load
from omnidose.errors import InputError
from omnidose.physics.decay import DecayNetwork, Species, chain
from omnidose.physics.nuclides import Daughter, is_radioactive, nuclide
from omnidose.physics.nuclides_names import atomic_number, parse, standard, standard_name

#: Charge and mass of what goes into a nucleus or comes out of it.
_PARTICLES = {"n": (0, 1), "p": (1, 1), "d": (1, 2), "a": (2, 4), "g": (0, 0)}
#: Fission products: from zinc to the lanthanides (ENDF thermal yields above 1e-9).
_FISSION_A = range(66, 173)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """A parent that makes a daughter."""

    daughter: str
    parent: str
    parent_half_life_s: float
    branching_fraction: float
    remark: str
    source: str

    def network(self) -> DecayNetwork:
        """Return parent and daughter, with the steps between them that the library has (see ``remark``)."""
        if is_radioactive(self.parent):
            return chain(self.parent, stop=_below(self.parent, self.daughter))
        target = nuclide(self.daughter)
        step = Daughter(name=target.name, branching_fraction=self.branching_fraction, mode="")
        parent = Species(name=self.parent, half_life_s=self.parent_half_life_s, progeny=(step,))
        return DecayNetwork(species=(parent, Species(name=target.name, half_life_s=target.half_life_s)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """A nuclide that images for another one's therapy, or the other way round."""

    name: str
    role: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A nuclide of medicine.

    Attributes
    ----------
    routes
        Production, as target(in,out)product or in words.
    doubt
        Routes as printed whose masses and charges do not add up, and what they give.
    made_by
        Generators that give it. ``makes``: nuclides for which it is the generator's parent.
    """

    name: str
    modality: str
    routes: tuple[str, ...]
    doubt: str
    use: str
    source: str
    partners: tuple[Partner, ...]
    made_by: tuple[Generator, ...]
    makes: tuple[str, ...]


def entry(name: str) -> Entry | None:
    """Return the entry of a nuclide, or None if it has no use of its own (most progeny)."""
    return _entries().get(standard(name))


def entries() -> tuple[Entry, ...]:
    """Return all entries, by element and mass."""
    return tuple(sorted(_entries().values(), key=lambda item: parse(item.name)))


def generators() -> tuple[Generator, ...]:
    """Return all generators."""
    return tuple(
        Generator(
            daughter=str(row["daughter"]),
            parent=str(row["parent"]),
            parent_half_life_s=float(row["parent_half_life_s"]) or nuclide(str(row["parent"])).half_life_s,
            branching_fraction=float(row["branching"]),
            remark=str(row["remark"]),
            source=str(row["source"]),
        )
        for row in load("nuclides_generators").rows()
    )


@cache
def _entries() -> dict[str, Entry]:
    made = generators()
    out = {}
    for row in load("nuclides_catalogue").rows():
        name = str(row["nuclide"])
        out[name] = Entry(
            name=name,
            modality=str(row["modality"]),
            routes=tuple(str(row["production"]).split("; ")),
            doubt=str(row["doubt"]),
            use=str(row["use"]),
            source=str(row["source"]),
            partners=_partners(name),
            made_by=tuple(g for g in made if g.daughter == name),
            makes=tuple(g.daughter for g in made if g.parent == name),
        )
    return out


def _partners(name: str) -> tuple[Partner, ...]:
    out = []
    for row in load("nuclides_pairs").rows():
        imaging, therapy = str(row["imaging"]).split(), str(row["therapy"]).split()
        if name in imaging:
            out += [Partner(name=n, role="therapy", source=str(row["source"])) for n in therapy]
        if name in therapy:
            out += [Partner(name=n, role="imaging", source=str(row["source"])) for n in imaging]
    return tuple(out)


def _below(parent: str, daughter: str) -> list[str]:
    """Daughters of the daughter, and side branches: all but the way from the parent to it."""
    items = {item.name: item for item in chain(parent).species}

    def leads(name: str) -> bool:
        return name == daughter or (name in items and any(leads(d.name) for d in items[name].progeny))

    after = {s.nuclide for s in chain(daughter).states} - {daughter}
    return [name for name in items if name in after or not leads(name)]


def reaction_product(route: str, wanted: str) -> str | None:
    """Return what a route makes, by charge and mass.

    None if that cannot be told (spallation, generators, decay series), "" for impossible fission products.

    Parameters
    ----------
    route
        ``68Zn(p,n)``, ``176Yb(n,g)177Yb``, ``natBa(p,xn)``, ``235U(n,f)``.
    wanted
        The nuclide that it shall make. It decides what is left open: how many neutrons a target of several
        isotopes gives off, and which fission product is meant. A product named at the end decays to it.
    """
    found = re.fullmatch(
        r"(?P<target>nat[A-Z][a-z]?|\d+[A-Z][a-z]?)\((?P<into>[a-z]),(?P<out>[^)]+)\)(?P<named>\S*)", route
    )
    if found is None or found["out"] == "spallation":
        return None
    z, a, _isomer = parse(wanted)
    if found["out"] == "f":
        return wanted if a in _FISSION_A else ""
    made = _balance(found["target"], found["into"], found["out"], a)
    if found["named"]:
        named = parse(found["named"])
        below = named[1] - a  # betas keep the mass, alphas take four
        return wanted if made == named[:2] and below >= 0 and below % 4 == 0 else standard_name(*made)
    return wanted if made == (z, a) else standard_name(*made)


def _balance(target: str, into: str, out: str, wanted_a: int) -> tuple[int, int]:
    """Return (Z, A) of the product; A of the wanted one if the number of neutrons is left open."""
    try:
        z_in, a_in = _PARTICLES[into]
        z_out = a_out = 0
        for count, particle in re.findall(r"(\d*|x)([npdag])", out):
            number = 0 if count == "x" else int(count or 1)
            z_out, a_out = (
                z_out + number * _PARTICLES[particle][0],
                a_out + number * _PARTICLES[particle][1],
            )
    except KeyError:
        raise InputError(f"no reaction ({into},{out})", allowed=", ".join(_PARTICLES)) from None
    if target.startswith("nat") or "x" in out:
        return atomic_number(target.removeprefix("nat")) + z_in - z_out, wanted_a
    z, a, _isomer = parse(target)
    return z + z_in - z_out, a + a_in - a_out
