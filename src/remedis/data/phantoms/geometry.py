"""Millimetres and pixels: the grid of a picture, chords through round bodies, smooth random fields, blurring."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]  # float32 throughout, which numpy's types lose at every constant
Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.floating[Any]]
Patch = tuple[slice, slice]

FIELD_MM = 385.0  # side of the square detector


@dataclass(frozen=True)
class Pose:
    """How the patient stands in front of the detector: millimetres, radians, and a factor of size."""

    shift_x: float = 0.0
    shift_y: float = 0.0
    tilt: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Grid:
    """Pixel centres in the body's millimetres: x to the patient's left (right in the picture), y downwards.

    Attributes:
        size: N, side of the whole picture in pixels.
        pixel_mm: Side of a pixel on the detector.
        pose: Of the body.
        x: (N, N), 0 at the patient's midline.
        y: (N, N).
    """

    size: int
    pixel_mm: float
    pose: Pose
    x: Array
    y: Array

    @classmethod
    def of(cls, size: int, pose: Pose) -> Grid:
        """Return the grid of a picture of `size` pixels."""
        on_x, on_y = detector(size)
        cosine, sine = np.cos(pose.tilt) / pose.scale, np.sin(pose.tilt) / pose.scale
        moved_x, moved_y = on_x - np.float32(pose.shift_x), on_y - np.float32(pose.shift_y)
        x = np.float32(cosine) * moved_x + np.float32(sine) * moved_y
        y = np.float32(cosine) * moved_y - np.float32(sine) * moved_x
        return cls(size, FIELD_MM / size, pose, x, y)

    def patch(self, low: tuple[float, float], high: tuple[float, float]) -> tuple[Patch, Grid]:
        """Return the rows and columns that show a rectangle of the body, given by two corners, and their grid.

        What lies in a part of the picture is drawn there only, which is most of the speed.
        """
        along_x, along_y, (row, column) = self._pixel_map()
        rows = _covering((along_x[0], along_y[0]), low, high, row, self.size)
        columns = _covering((along_x[1], along_y[1]), low, high, column, self.size)
        near = Grid(self.size, self.pixel_mm, self.pose, self.x[rows, columns], self.y[rows, columns])
        return (rows, columns), near

    def _pixel_map(self) -> tuple[tuple[float, float], ...]:
        """Return what a millimetre along x, one along y, and the body's origin are in (rows, columns)."""
        pose, pixel = self.pose, self.pixel_mm
        cosine, sine = pose.scale / pixel * math.cos(pose.tilt), pose.scale / pixel * math.sin(pose.tilt)
        middle = (self.size - 1) / 2
        return (sine, cosine), (cosine, -sine), (pose.shift_y / pixel + middle, pose.shift_x / pixel + middle)

    def deposit(self, x: Points, y: Points, volume: Points) -> Array:
        """Return the (N, N) thickness in mm of matter that lies at points, shared among the four nearest pixels.

        Args:
            x: (P,) body coordinates in mm; points outside the picture are lost.
            y: As x.
            volume: (P,) mm^3 at each point.
        """
        row, column = (a * x + b * y + origin for a, b, origin in zip(*self._pixel_map(), strict=True))
        wide = self.size + 3  # a margin takes what falls outside
        row, column = np.clip(row, -1, self.size) + 1, np.clip(column, -1, self.size) + 1
        first_row, first_column = row.astype(np.int64), column.astype(np.int64)
        row -= first_row
        column -= first_column
        at = first_row * wide + first_column
        low = volume * (1 - row)
        high = volume - low
        shares = (low * (1 - column), low * column, high * (1 - column), high * column)
        total = np.zeros(wide * wide)
        for step, share in zip((0, 1, wide, wide + 1), shares, strict=True):
            total += np.bincount(at + step, share, minlength=total.size)
        area = (self.pixel_mm / self.pose.scale) ** 2
        return (total.reshape(wide, wide)[1:-2, 1:-2] / area).astype(np.float32)


def _covering(
    slope: tuple[float, float], low: tuple[float, float], high: tuple[float, float], origin: float, size: int
) -> slice:
    """Return the numbers from 0 to size - 1 that slope . (x, y) + origin takes in a rectangle, and one on each side."""
    (a, b), (x0, y0), (x1, y1) = slope, low, high
    first = min(a * x0, a * x1) + min(b * y0, b * y1) + origin
    last = max(a * x0, a * x1) + max(b * y0, b * y1) + origin
    return slice(max(0, math.floor(first)), max(0, min(size, math.ceil(last) + 1)))


@lru_cache(maxsize=8)
def detector(size: int) -> tuple[Array, Array]:
    """Return the pixel centres (1, N) and (N, 1) on the detector in mm, 0 in the middle."""
    line = ((np.arange(size) + 0.5) / size - 0.5) * FIELD_MM
    return line.astype(np.float32)[None, :], line.astype(np.float32)[:, None]


def ramp(values: Array | float) -> Array:
    """Return 0 below 0, 1 above 1 and 3t^2 - 2t^3 between."""
    share: Array = np.clip(values, 0, 1)  # np.minimum and np.maximum take twice as long
    rest = share * np.float32(-2)
    rest += np.float32(3)
    rest *= share
    rest *= share
    return rest


def chord(distance: Array) -> Array:
    """Return sqrt(1 - r^2), the half chord of the unit circle at distance r from its centre; 0 outside."""
    inside: Array = np.asarray(distance * distance, np.float32)
    np.subtract(1, inside, out=inside)
    np.clip(inside, 0, 1, out=inside)
    return np.sqrt(inside, out=inside)


def mound(grid: Grid, centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0) -> Array:
    """Return the half chord of an ellipsoid, 1 in its middle, 0 outside; `angle` turns the first axis downwards."""
    x, y = grid.x - np.float32(centre[0]), grid.y - np.float32(centre[1])
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along = (cosine * x + sine * y) * np.float32(1 / radii[0])
    across = (cosine * y - sine * x) * np.float32(1 / radii[1])
    along *= along
    across *= across
    along += across
    np.subtract(1, along, out=along)
    np.clip(along, 0, 1, out=along)
    return np.sqrt(along, out=along)


def field(random: np.random.Generator, size: int, spacing_mm: float) -> Array:
    """Return (N, N) a smooth random field of mean 0 and variance 1 with features of about `spacing_mm`.

    The knots lie in millimetres, so that a picture of another size shows the same field.
    """
    count = int(np.ceil(FIELD_MM / spacing_mm)) + 3
    basis = _spline_basis(size, spacing_mm)
    knots = random.standard_normal((count, count), dtype=np.float32)
    result: Array = basis @ knots @ basis.T / np.float32(0.479)  # the variance of a uniform cubic B-spline, averaged
    return result


@lru_cache(maxsize=16)
def _spline_basis(size: int, spacing_mm: float) -> Array:
    """Return (N, K) uniform cubic B-splines at the pixel centres."""
    count = int(np.ceil(FIELD_MM / spacing_mm)) + 3
    position = (np.arange(size) + 0.5) / size * FIELD_MM / spacing_mm + 1
    away = np.abs(position[:, None] - np.arange(count)[None, :])
    inner = 2 / 3 - away**2 + away**3 / 2
    outer = np.maximum(0, 2 - away) ** 3 / 6
    return np.where(away < 1, inner, outer).astype(np.float32)


def blur(image: Array, sigma_mm: float) -> Array:
    """Return (N, N) an image convolved with a Gaussian, cut at four sigma; its edges are repeated outwards."""
    sigma = max(sigma_mm * image.shape[0] / FIELD_MM, 1e-3)
    reach = int(np.ceil(4 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return _along_rows(_along_rows(image, weights / weights.sum()).T, weights / weights.sum()).T


def _along_rows(image: Array, weights: npt.NDArray[np.float64]) -> Array:
    reach, size = len(weights) // 2, image.shape[0]
    padded = np.pad(image, ((reach, reach), (0, 0)), mode="edge")
    result = np.float32(weights[reach]) * image
    scratch = np.empty_like(result)
    for step in range(1, reach + 1):
        before, after = padded[reach - step :][:size], padded[reach + step :][:size]
        np.add(before, after, out=scratch)
        scratch *= np.float32(weights[reach + step])
        result += scratch
    return result


def wide_blur(image: Array, sigma_mm: float) -> Array:
    """Return (N, N) an image convolved with a wide Gaussian, nearly: by Gaussians at knots and splines between them.

    Far cheaper than `blur` where sigma is many pixels; the variance of the spline is taken off the Gaussian's.
    """
    gather, spread = _wide_matrices(image.shape[0], sigma_mm)
    result: Array = spread @ (gather @ image @ gather.T) @ spread.T
    return result


@lru_cache(maxsize=16)
def _wide_matrices(size: int, sigma_mm: float) -> tuple[Array, Array]:
    """Return (K, N) Gaussians at the knots of the splines, and the (N, K) splines."""
    spacing = sigma_mm / 1.5
    spread = _spline_basis(size, spacing)
    sigma = np.sqrt(sigma_mm**2 - spacing**2 / 3)  # a cubic B-spline's variance is a third of its spacing squared
    line = (np.arange(-size, 2 * size) + 0.5) / size * FIELD_MM  # pixels beyond the edges repeat the last
    knots = (np.arange(spread.shape[1]) - 1) * spacing
    weights = np.exp(-0.5 * ((knots[:, None] - line[None, :]) / sigma) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    gather = weights[:, size : 2 * size].copy()
    gather[:, 0] += weights[:, :size].sum(axis=1)
    gather[:, -1] += weights[:, 2 * size :].sum(axis=1)
    return gather.astype(np.float32), spread
