"""Ribs, clavicles, scapulae, arms and spine as millimetres of compact bone along the beam.

A rib is a ring around the thorax, tilted forwards: at a share r of the half width, its back lies at
y0 + drop/2 * (1 - sqrt(1 - r^2)) and its front at y0 + drop/2 * (1 + sqrt(1 - r^2)). All rings have the same shape, so
that one phase over the picture draws them all.
"""

from __future__ import annotations

import numpy as np

from remedis.data.phantoms.anatomy import Chest
from remedis.data.phantoms.geometry import Array, Grid, chord, mound, ramp
from remedis.data.phantoms.population import generator

RIBS = 11
SPACING_MM = 25.0
DROP_MM = 84.0
HEIGHT_MM = 13.5


def bones(chest: Chest) -> Array:
    """Return (N, N) the thickness of compact bone."""
    patient = chest.body.exam.patient
    random = generator(patient.seed, patient.number, "skeleton")
    mineral = 1 - 0.006 * max(0, patient.age - 50) * (1.3 if patient.sex == "F" else 0.8)
    varied = 1 + 0.12 * random.standard_normal((2, RIBS + 2)).astype(np.float32)
    lift = 3 * float(random.standard_normal()) - (12 if chest.body.exam.projection == "AP" else 0)
    total = _ribs(chest, varied)
    for side in (-1, 1):
        where, near = chest.grid.patch(
            (min(14.0 * side, 240.0 * side), -210.0), (max(14.0 * side, 240.0 * side), -60.0)
        )
        total[where] += _clavicle(near, chest.body.apex + 42 + lift)
        where, near = chest.grid.patch(
            (min(88.0 * side, 240.0 * side), -150.0), (max(88.0 * side, 240.0 * side), 230.0)
        )
        total[where] += _shoulder(near, lift, turned=chest.body.exam.projection == "PA")
    where, near = chest.grid.patch((-36.0, -210.0), (36.0, 210.0))
    total[where] += _spine(near)
    total *= np.float32(mineral)
    return total


def _ribs(chest: Chest, varied: Array) -> Array:
    reach = chest.reach
    turned = chord(reach)  # cosine of the angle around the thorax
    down = chest.grid.y - np.float32(chest.body.apex + 4)
    half_drop = np.float32(DROP_MM / 2 * (0.85 if chest.body.exam.projection == "AP" else 1.0))
    down -= half_drop
    turned *= half_drop
    back = _bands(chest.side, down + turned, varied[0], 1.0)
    front = _bands(chest.side, down - turned, varied[1], 1.12)
    back *= ramp(reach / 0.12)
    front *= ramp((reach - 0.42) / 0.14)  # the front ends are cartilage, which does not show
    back += np.float32(0.6) * front
    # A ring's path through bone lengthens where the beam runs along it, at the side of the thorax.
    back /= np.maximum(turned / half_drop, np.float32(0.5))
    back *= ramp((1.03 - reach) / 0.06)
    back *= ramp((down + half_drop) / 14 + 1)
    return back


def _bands(side: Array, below_first: Array, varied: Array, height: float) -> Array:
    """Return the thickness across all ribs of one kind: a tube with a dense lower rim."""
    phase = below_first * np.float32(1 / SPACING_MM)
    number = np.clip(np.rint(phase), -1, RIBS)
    here = (number >= 0) & (number < RIBS)
    off = (phase - number) * np.float32(2 * SPACING_MM / (HEIGHT_MM * height))  # -1 at the upper rim, 1 at the lower
    tube = np.float32(6.8) * chord(off)
    tube -= np.float32(4.2) * chord(off * np.float32(1.25))
    tube += np.float32(1.2) * ramp((off - np.float32(0.45)) / np.float32(0.3)) * (off < 1)
    tube *= here
    tube *= varied[number.astype(np.int8) + (side > 0)]
    return tube


def _clavicle(grid: Grid, level: float) -> Array:
    across = np.abs(grid.x)
    run = np.clip((across - 16) / 140, 0, 1)
    line = np.float32(level) - 34 * run + 11 * np.sin(np.float32(2 * np.pi) * run)
    thick = np.float32(6.8) - np.float32(1.4) * np.sin(np.float32(np.pi) * run)
    off = (grid.y - line) / thick
    return (10.5 * chord(off) - 5 * chord(off / np.float32(0.72))) * ramp((across - 14) / 5) * ramp((162 - across) / 6)


def _shoulder(grid: Grid, lift: float, *, turned: bool) -> Array:
    """Return the shoulder blade, turned off the lung in PA films, and the upper arm."""
    y, across = grid.y - np.float32(lift), np.abs(grid.x)
    inner = across - (118 if turned else 98) - np.float32(0.17) * (y + 110)
    outer = 52 - np.float32(0.52) * np.maximum(y + 70, 0) - inner
    inside = ramp(inner / 3) * ramp(outer / 4) * ramp((y + 128) / 8)
    rim = np.exp(-(((inner - 3) / np.float32(2.6)) ** 2)) + 1.6 * np.exp(-(((outer - 4) / np.float32(3.2)) ** 2))
    blade = inside * (np.float32(1.0) + np.float32(1.8) * rim * ramp((y + 120) / 12))
    head = mound(grid, (float(np.sign(grid.x.mean())) * 178, -96 + lift), (24.0, 24.0))
    shaft = chord((across - 186 - np.float32(0.16) * (y + 96)) / 12) * ramp((y + 96) / 20)
    result: Array = blade + 7 * head + 5 * shaft
    return result


def _spine(grid: Grid) -> Array:
    """Return the vertebrae: bodies between discs, pedicles and the spines behind them."""
    across, down = np.abs(grid.x), grid.y + np.float32(190)
    height, width = 21 + np.float32(0.022) * down, 15 + np.float32(0.017) * down
    phase = down / height
    off = phase - np.floor(phase) - np.float32(0.5)
    side = ramp((width - across) / 5)
    body = side * (np.float32(0.4) + np.float32(0.6) * ramp((np.float32(0.42) - np.abs(off)) / np.float32(0.1)))
    plates = side * ramp((np.float32(0.08) - np.abs(np.abs(off) - np.float32(0.38))) / np.float32(0.06))
    off *= height
    pedicle = _disc((across - np.float32(0.68) * width) / np.float32(3.6), (off + np.float32(2.5)) / 5)
    process = _disc(across / np.float32(3.2), (off - np.float32(4.5)) / 7)
    sideways = chord((off + 2) / 5) * ramp((34 - across) / 8)
    result: Array = 3.6 * body + 1.2 * plates + 2.4 * pedicle + 3 * process + 1.6 * sideways
    return result


def _disc(x: Array, y: Array) -> Array:
    """Return a half chord like `chord`, of the distance from two directions (np.hypot is ten times slower)."""
    return chord(np.sqrt(x * x + y * y))
