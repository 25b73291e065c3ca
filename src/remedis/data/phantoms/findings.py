"""What can be wrong in a chest. Each finding takes lung away, or puts air in its place; severity is from 0 to 1.

Cardiomegaly is the exception: it is the heart's shape, in `anatomy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from remedis.data.phantoms.anatomy import CAVITY_MM, Chest, borders
from remedis.data.phantoms.beam import changed
from remedis.data.phantoms.geometry import Grid, Mask, Patch, chord, field, ramp
from remedis.data.phantoms.population import generator

HILUM_X, HILUM_Y = 34.0, -10.0  # where a lung hangs; x from the midline


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


def _half(chest: Chest, side: int) -> tuple[Patch, Grid]:
    """Return the part of the picture that shows one side of the body."""
    return chest.grid.patch((min(0.0, side * 300.0), -300.0), (max(0.0, side * 300.0), 300.0))


def consolidation(chest: Chest, severity: float) -> None:
    """Fill a part of one lung's air spaces with fluid: cloudy borders, no sharp edge, vessels and heart veiled."""
    random, side = _random(chest, "consolidation"), _side(chest, "consolidation")
    x, y = _place(chest, side, random.uniform(0.25, 0.65), random.uniform(0.35, 0.85))
    flat, angle = random.uniform(0.65, 1.0), random.uniform(-0.5, 0.5)
    clouds = field(random, chest.grid.size, 22.0) + np.float32(0.6) * field(random, chest.grid.size, 9.0)
    radius = 26 + 32 * severity
    where, near = chest.grid.patch((x - 2 * radius, y - 2 * radius), (x + 2 * radius, y + 2 * radius))
    dx, dy = near.x - np.float32(x), near.y - np.float32(y)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along, across = (cosine * dx + sine * dy) / radius, (cosine * dy - sine * dx) / (flat * radius)
    away = np.sqrt(along * along + across * across) - np.float32(0.15) * clouds[where]
    filled = np.float32(0.8 * severity) * ramp((np.float32(1.1) - away) / np.float32(0.9))
    filled *= ramp((near.x * side - 4) / 6)
    chest.lung = chest.lung.copy()
    chest.lung[where] *= 1 - filled


def effusion(chest: Chest, severity: float) -> None:
    """Fill the lowest pleural space: a blunted angle first, then a level that rises to the ribs as a meniscus.

    In bed (AP) the fluid runs along the back, and a veil fades upwards.
    """
    random, side = _random(chest, "effusion"), _side(chest, "effusion")
    bedside = chest.body.exam.projection == "AP"
    dome = chest.body.domes[0 if side < 0 else 1]
    level = dome + 62 - (170 + 8 * random.standard_normal()) * severity
    where, near = _half(chest, side)
    climb = np.float32(20 + 34 * severity) * np.exp(np.clip(chest.share[where] - 1, -9, 0) / np.float32(0.3))
    soft = 56.0 if bedside else 26.0
    filled = ramp((near.y - np.float32(level) + climb) / soft + np.float32(0.5))
    filled *= np.float32(0.8 if bedside else 0.97) * (near.x * side > 0)
    chest.lung = chest.lung.copy()
    chest.lung[where] *= 1 - filled


def pneumothorax(chest: Chest, severity: float) -> None:
    """Let the lung fall towards its hilum: air without vessels outside a thin pleural line."""
    side = _side(chest, "pneumothorax")
    where, near = _half(chest, side)
    shrunk = np.float32(_shrunk(severity))
    across = HILUM_X + (near.x * side - HILUM_X) / shrunk
    above = np.clip(near.y - HILUM_Y, -300, 0)
    level = (near.y - np.float32(chest.body.apex) + above * (1 / shrunk - 1)) / np.float32(CAVITY_MM)
    outer, inner = borders(level, chest.body)
    # Millimetres inside the fallen lung: from the ribs, below its top, and beside the mediastinum at the top.
    inside = np.minimum(outer - across, np.float32(CAVITY_MM) * level)
    inside = np.minimum(inside, across - inner + 400 * np.clip(level, 0, 1))
    here = near.x * side > 0
    empty = np.clip(np.float32(0.5) - inside / 2, 0, np.float32(0.96)) * here
    line = np.exp(-(((inside - np.float32(1.6)) / np.float32(1.1)) ** 2)) * here
    chest.lung, chest.air = chest.lung.copy(), chest.air.copy()
    chest.air[where] += empty * (chest.lung + chest.blood)[where]
    chest.lung[where] *= 1 - empty
    chest.lung[where] -= np.minimum(7 * line, np.float32(0.5) * chest.lung[where])


def _shrunk(severity: float) -> float:
    """Return the share of its size to which a lung falls."""
    return 1 - 0.36 * severity


def nodule(chest: Chest, severity: float) -> None:
    """Put a round mass into one lung, of 5 to 20 mm radius, with an uneven outline, slightly calcified.

    It lies where no fluid hides it, and moves with its lung where that has fallen.
    """
    random, side = _random(chest, "nodule"), _side(chest, "pneumothorax")
    x, y = _place(chest, side, random.uniform(0.3, 0.75), random.uniform(0.25, 0.72))
    shrunk = _shrunk(chest.body.exam.patient.severities.get("pneumothorax", 0.0))
    x, y = side * (HILUM_X + (abs(x) - HILUM_X) * shrunk), HILUM_Y + (y - HILUM_Y) * (shrunk if y < HILUM_Y else 1)
    radius = 4.5 + 15.5 * severity
    waves = random.uniform(0, 2 * np.pi, 3)
    reach = 1.2 * radius
    where, near = chest.grid.patch((x - reach, y - reach), (x + reach, y + reach))
    dx, dy = near.x - np.float32(x), near.y - np.float32(y)
    angle = np.arctan2(dy, dx)
    uneven = np.float32(radius) * np.ones_like(dx)
    for turns, wave in zip((2, 3, 5), waves, strict=True):
        uneven += np.float32(0.045 * radius) * np.sin(turns * angle + np.float32(wave))
    mass = np.float32(2.2 * radius) * chord(np.sqrt(dx * dx + dy * dy) / uneven)
    chest.lung = chest.lung.copy()
    chest.lung[where] -= np.minimum(mass, chest.lung[where])


_CHANGES: dict[str, Callable[[Chest, float], None]] = {
    "consolidation": consolidation,
    "effusion": effusion,
    "pneumothorax": pneumothorax,
    "nodule": nodule,
}
