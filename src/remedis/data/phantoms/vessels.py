"""The branching vessels of the lungs, as millimetres of blood along the beam."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from remedis.data.phantoms.anatomy import Chest
from remedis.data.phantoms.geometry import Array, Points
from remedis.data.phantoms.population import generator

GENERATIONS = 6
# (angle from straight down, outwards positive, in degrees; length in mm; radius in mm) of the trunks from a hilum
TRUNKS = np.array(
    [
        (172, 28, 4.2),
        (140, 28, 4.6),
        (112, 27, 4.2),
        (82, 28, 4.4),
        (52, 32, 5.4),
        (24, 36, 6.6),
        (4, 36, 5.6),
    ]
)
FINEST_MM = 0.3
HILUM = {-1: (-33.0, -8.0), 1: (36.0, -16.0)}


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
    step = max(FINEST_MM, 0.9 * chest.grid.pixel_mm)
    clouds = [_cloud(tree, step) for side in (-1, 1) for tree in _tree(side, random, scale)]
    x, y, volume = (np.concatenate([cloud[part] for cloud in clouds]) for part in range(3))
    return chest.grid.deposit(x, y, volume)


def _tree(side: int, random: np.random.Generator, scale: tuple[float, float]) -> list[Branches]:
    """Return the generations of one lung's vessels, from the hilum outwards."""
    count = len(TRUNKS)
    angle, length, radius = TRUNKS.T * (1 + np.array([[0.0], [0.15], [0.08]]) * random.standard_normal((3, count)))
    angle = side * np.deg2rad(angle + 8 * random.standard_normal(count))
    x, y = HILUM[side]
    jitter = 4 * random.standard_normal((2, count))
    stretch = np.hypot(np.sin(angle) * scale[0], np.cos(angle) * scale[1])
    bend = 0.2 * random.standard_normal(count)
    tree = [Branches(x + jitter[0], y + jitter[1], angle, bend, length * stretch, radius)]
    for _ in range(GENERATIONS - 1):
        tree.append(_forked(tree[-1], random))
    return tree


def _forked(parent: Branches, random: np.random.Generator) -> Branches:
    """Return two branches for each: a stout one that goes on and a thin one aside (Murray: r^3 is kept)."""
    count = len(parent.x)
    end_x, end_y = parent.at(np.ones(1))
    aside = random.choice([-1.0, 1.0], count)
    wide = np.abs(0.25 + 0.1 * random.standard_normal(count)), np.abs(0.75 + 0.2 * random.standard_normal(count))
    angle = np.concatenate([parent.angle + parent.bend - aside * wide[0], parent.angle + parent.bend + aside * wide[1]])
    stout = np.clip(0.68 + 0.12 * random.standard_normal(count), 0.52, 0.9)  # the stout branch's share of r^3
    radius = np.concatenate([parent.radius * np.cbrt(stout), parent.radius * np.cbrt(1 - stout)])
    length = 0.82 * np.tile(parent.length, 2) * np.exp(0.2 * random.standard_normal(2 * count))
    both = np.tile(end_x[:, 0], 2), np.tile(end_y[:, 0], 2)
    return Branches(*both, angle, 0.3 * random.standard_normal(2 * count), length, radius)


def _cloud(branches: Branches, step_mm: float) -> tuple[Points, Points, Points]:
    """Return (P,) points across and along the tubes with the volume of each: chords of a circular section."""
    steps = int(np.ceil(1.3 * branches.length.mean() / step_mm))
    rows = int(np.ceil(1.8 * branches.radius.mean() / step_mm))
    share = (np.arange(steps) + 0.5) / steps
    x, y = branches.at(share)
    heading = branches.angle[:, None] + branches.bend[:, None] * share
    taper = branches.radius[:, None] * (1 - 0.15 * share)
    off = (2 * np.arange(rows) + 1) / rows - 1
    part = np.sqrt(1 - off**2)
    part /= part.sum()
    area = np.pi * taper**2 * (branches.length[:, None] / steps)
    away_x, away_y = taper * np.cos(heading), taper * np.sin(heading)
    px, py = x[..., None] + away_x[..., None] * off, y[..., None] - away_y[..., None] * off
    return px.ravel(), py.ravel(), (area[..., None] * part).ravel()
