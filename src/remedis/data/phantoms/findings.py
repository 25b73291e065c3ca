"""What can be wrong in a chest. Each finding takes lung away, or puts air in its place; severity is from 0 to 1.

Cardiomegaly is the exception: it is the heart's shape, in `anatomy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from remedis.data.phantoms.anatomy import CAVITY_MM, Chest, borders
from remedis.data.phantoms.beam import changed
from remedis.data.phantoms.geometry import Mask, chord, field, ramp
from remedis.data.phantoms.population import generator


def add(chest: Chest, severities: Mapping[str, float]) -> dict[str, Mask]:
    """Change the chest, and return for each finding that is there (N, N) where it alone changes the picture.

    Args:
        chest: With its vessels.
        severities: By finding, 0 where it is absent.
    """
    masks = {}
    for name, change in _CHANGES.items():
        if severities.get(name, 0) > 0:
            lung, air = chest.lung, chest.air
            change(chest, severities[name])
            masks[name] = changed(lung, air, chest)
    return masks


def _random(chest: Chest, part: str) -> np.random.Generator:
    patient = chest.body.exam.patient
    return generator(patient.seed, patient.number, part)


def _side(chest: Chest, finding: str) -> int:
    """Return 1 for the person's left, -1 for the right; fluid and air never share a side."""
    side = 1 if _random(chest, "side of effusion").random() < 0.5 else -1
    if finding == "pneumothorax":
        return -side
    if finding == "effusion":
        return side
    return 1 if _random(chest, f"side of {finding}").random() < 0.45 else -1


def _place(chest: Chest, side: int, share: float, level: float) -> tuple[float, float]:
    """Return the point at a share of the lung's width and height."""
    body = chest.body
    dome = body.domes[0 if side < 0 else 1]
    return side * body.half_width * (0.2 + 0.75 * share), body.apex + level * (dome - body.apex)


def consolidation(chest: Chest, severity: float) -> None:
    """Fill a part of one lung's air spaces with fluid: cloudy borders, no sharp edge, vessels and heart veiled."""
    random, side = _random(chest, "consolidation"), _side(chest, "consolidation")
    x, y = _place(chest, side, random.uniform(0.25, 0.65), random.uniform(0.35, 0.85))
    flat, angle = random.uniform(0.65, 1.0), random.uniform(-0.5, 0.5)
    radius = 26 + 32 * severity
    dx, dy = chest.grid.x - np.float32(x), chest.grid.y - np.float32(y)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    away = np.hypot((cosine * dx + sine * dy) / radius, (cosine * dy - sine * dx) / (flat * radius))
    clouds = field(random, chest.grid.size, 22.0) + 0.6 * field(random, chest.grid.size, 9.0)
    filled = np.float32(0.8 * severity) * ramp((np.float32(1.1) - away + np.float32(0.15) * clouds) / np.float32(0.9))
    filled *= ramp((chest.grid.x * side - 4) / 6)
    chest.lung = chest.lung * (1 - filled)


def effusion(chest: Chest, severity: float) -> None:
    """Fill the lowest pleural space: a blunted angle first, then a level that rises to the ribs as a meniscus.

    In bed (AP) the fluid runs along the back, and a veil fades upwards.
    """
    random, side = _random(chest, "effusion"), _side(chest, "effusion")
    bedside = chest.body.exam.projection == "AP"
    dome = chest.body.domes[0 if side < 0 else 1]
    level = dome + 62 - (170 + 8 * random.standard_normal()) * severity
    climb = np.float32(20 + 34 * severity) * np.exp(np.minimum(chest.share - 1, 0) / np.float32(0.3))
    soft = 56.0 if bedside else 26.0
    depth = chest.grid.y - np.float32(level) + climb
    filled = np.float32(0.8 if bedside else 0.97) * ramp(depth / soft + 0.5) * (chest.side == side)
    chest.lung = chest.lung * (1 - filled)


def pneumothorax(chest: Chest, severity: float) -> None:
    """Let the lung fall from the ribs and the apex: air without vessels outside a thin pleural line."""
    side = _side(chest, "pneumothorax")
    shrunk, hilum_x, hilum_y = 1 - 0.36 * severity, 34.0, -10.0
    across = hilum_x + (np.abs(chest.grid.x) - hilum_x) / np.float32(shrunk)
    above = np.minimum(chest.grid.y - hilum_y, 0)
    level = (chest.grid.y - chest.body.apex + above * (1 / np.float32(shrunk) - 1)) / np.float32(CAVITY_MM)
    outer, inner = borders(level, chest.body)
    # Millimetres inside the fallen lung: from the ribs, below its top, and beside the mediastinum at the top.
    inside = np.minimum(outer - across, np.float32(CAVITY_MM) * level)
    inside = np.minimum(inside, across - inner + 400 * np.maximum(level, 0))
    empty = np.clip(0.5 - inside / 2, 0, 0.96) * (chest.side == side)
    line = np.exp(-(((inside - 1.6) / 1.1) ** 2)) * (chest.side == side)
    chest.air = chest.air + empty * (chest.lung + chest.blood)
    chest.lung = chest.lung * (1 - empty)
    chest.lung = chest.lung - np.minimum(7 * line, 0.5 * chest.lung)


def nodule(chest: Chest, severity: float) -> None:
    """Put a round mass into one lung, of 5 to 20 mm radius, with an uneven outline, slightly calcified."""
    random = _random(chest, "nodule")
    side = -_side(chest, "pneumothorax")
    x, y = _place(chest, side, random.uniform(0.3, 0.75), random.uniform(0.25, 0.72))
    radius = 4.5 + 15.5 * severity
    waves = random.uniform(0, 2 * np.pi, 3)
    reach = 1.2 * radius
    where, near = chest.grid.patch((x - reach, y - reach), (x + reach, y + reach))
    dx, dy = near.x - np.float32(x), near.y - np.float32(y)
    angle = np.arctan2(dy, dx)
    uneven = np.float32(radius) * np.ones_like(dx)
    for turns, wave in zip((2, 3, 5), waves, strict=True):
        uneven += np.float32(0.045 * radius) * np.sin(turns * angle + np.float32(wave))
    mass = np.float32(2.2 * radius) * chord(np.hypot(dx, dy) / uneven)
    chest.lung = chest.lung.copy()
    chest.lung[where] -= np.minimum(mass, chest.lung[where])


_CHANGES: dict[str, Callable[[Chest, float], None]] = {
    "consolidation": consolidation,
    "effusion": effusion,
    "pneumothorax": pneumothorax,
    "nodule": nodule,
}
