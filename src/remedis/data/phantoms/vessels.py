"""The branching vessels of the lungs, as millimetres of blood along the beam."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from remedis.data.phantoms.anatomy import Chest
from remedis.data.phantoms.geometry import Array, Points
from remedis.data.phantoms.population import generator

GENERATIONS = 6
# (angle from straight down, outwards positive, in degrees; length in mm; radius in mm) of the trunks from a hilum
TRUNKS = np.array(
    [
        (172, 28, 4.6),
        (140, 28, 5.2),
        (112, 27, 4.8),
        (82, 28, 5.0),
        (52, 32, 6.2),
        (24, 36, 7.4),
        (4, 36, 6.2),
    ]
)
FINEST_MM = 0.3
RIGHT_HILUM, LEFT_HILUM = (-33.0, -8.0), (36.0, -16.0)


@dataclass(frozen=True)
class Branches:
    """Bent tubes: (S,) each; a start, a direction, what it turns by along its length, a length and a radius."""

    x: Points
    y: Points
    angle: Points
    bend: Points
    length: Points
    radius: Points

    def at(self, share: Points) -> tuple[Points, Points]:
        """Return (S, P) the points at shares of the length."""
        angle = self.angle[:, None] + self.bend[:, None] * share / 2
        along = self.length[:, None] * share
        return self.x[:, None] + along * np.sin(angle), self.y[:, None] + along * np.cos(angle)


def vessels(chest: Chest) -> Array:
    """Return (N, N) the thickness of vessels, wherever they run; lung must be there for them to show."""
    patient = chest.body.exam.patient
    random = generator(patient.seed, patient.number, "vessels")
    scale = chest.body.half_width / 139, (chest.body.domes[0] - chest.body.apex) / 242
    step = max(FINEST_MM, 1.1 * chest.grid.pixel_mm)
    trees = _trees(random, scale)
    clouds = [_cloud(_joined(trees[first : first + 2]), step) for first in range(0, GENERATIONS, 2)]
    x, y, volume = (np.concatenate([cloud[part] for cloud in clouds]) for part in range(3))
    return chest.grid.deposit(x, y, volume)


def _trees(random: np.random.Generator, scale: tuple[float, float]) -> list[Branches]:
    """Return the generations of both lungs' vessels, from the hila outwards."""
    count = 2 * len(TRUNKS)
    spread = np.array([[0.0], [0.15], [0.08]])
    angle, length, radius = np.tile(TRUNKS.T, 2) * (1 + spread * random.standard_normal((3, count)))
    side = np.repeat([-1.0, 1.0], len(TRUNKS))
    angle = side * np.deg2rad(angle + 8 * random.standard_normal(count))
    x, y = np.repeat([RIGHT_HILUM, LEFT_HILUM], len(TRUNKS), axis=0).T + 4 * random.standard_normal((2, count))
    stretch = np.hypot(np.sin(angle) * scale[0], np.cos(angle) * scale[1])
    bend = 0.2 * random.standard_normal(count)
    trees = [Branches(x, y, angle, bend, length * stretch, radius)]
    for _ in range(GENERATIONS - 1):
        trees.append(_forked(trees[-1], random))
    return trees


def _forked(parent: Branches, random: np.random.Generator) -> Branches:
    """Return two branches for each: a stout one that goes on and a thin one aside (Murray: r^3 is kept)."""
    drawn = random.standard_normal((7, len(parent.x)))
    end_x, end_y = parent.at(np.ones(1))
    aside = np.sign(drawn[0])
    heading = parent.angle + parent.bend
    angles = heading - aside * np.abs(0.25 + 0.1 * drawn[1]), heading + aside * np.abs(0.75 + 0.2 * drawn[2])
    stout = np.clip(0.68 + 0.12 * drawn[3], 0.52, 0.9)  # its share of r^3
    return Branches(
        x=np.concatenate((end_x, end_x))[:, 0],
        y=np.concatenate((end_y, end_y))[:, 0],
        angle=np.concatenate(angles),
        bend=0.3 * np.concatenate((drawn[4], -drawn[4])),
        length=0.82 * np.concatenate((parent.length * np.exp(0.2 * drawn[5]), parent.length * np.exp(0.2 * drawn[6]))),
        radius=np.concatenate((parent.radius * np.cbrt(stout), parent.radius * np.cbrt(1 - stout))),
    )


def _joined(trees: list[Branches]) -> Branches:
    """Return the branches of several generations as one, in float32 (a hundredth of a pixel is enough)."""
    columns = ([getattr(tree, part.name) for tree in trees] for part in fields(Branches))
    return Branches(*(np.concatenate(column, dtype=np.float32, casting="same_kind") for column in columns))


def _cloud(branches: Branches, step_mm: float) -> tuple[Points, Points, Points]:
    """Return (P,) points across and along the tubes with the volume of each: chords of a circular section."""
    steps = int(np.ceil(1.3 * branches.length.mean() / step_mm))
    rows = int(np.ceil(1.8 * branches.radius.mean() / step_mm))
    share = ((np.arange(steps) + 0.5) / steps).astype(np.float32)
    x, y = branches.at(share)
    heading = branches.angle[:, None] + branches.bend[:, None] * share
    taper = branches.radius[:, None] * (1 - 0.15 * share)
    off = ((2 * np.arange(rows) + 1) / rows - 1).astype(np.float32)
    part = np.sqrt(1 - off**2)
    part /= part.sum()
    area = np.pi * taper**2 * (branches.length[:, None] / steps)
    away_x, away_y = taper * np.cos(heading), taper * np.sin(heading)
    px, py = x[..., None] + away_x[..., None] * off, y[..., None] - away_y[..., None] * off
    return px.ravel(), py.ravel(), (area[..., None] * part).ravel()
