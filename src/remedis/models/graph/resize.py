"""Operations of a TensorFlow graph that resize an image, by TensorFlow's own formulas, which no torch function has.

Each weighs a few pixels (taps) along the rows, then along the columns. Sources: the pages of `tf.raw_ops`
(https://www.tensorflow.org/api_docs/python/tf/raw_ops) for the attributes, `tensorflow/core/util/image_resizer_state.h`
and `tensorflow/core/kernels/image/resize_*_op.cc` for the formulas. TensorFlow computes places in float32, whatever the
image's type; where a place is rounded to a whole number (the nearest pixel, bicubic's table), so do we, lest another
pixel be taken. Bilinear weights change smoothly with the place and are computed in the graph's precision: in float64
they differ from TensorFlow's own by that one's rounding, 6e-8 of the place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from remedis.errors import ConvertError
from remedis.models.dataflow import Node
from remedis.models.graph.context import Context, Operation, allow, integers

Array = np.ndarray[Any, Any]
TABLE_STEPS = 1024  # of the table of bicubic weights (kTableSize in resize_bicubic_op.cc)


class _Taps(NamedTuple):
    """Which pixels make each pixel of the result along one side."""

    places: Array  # (taps, size), whole numbers
    weights: Array  # (taps, size)


class _Grid(NamedTuple):
    """How the pixels of a result lie over the pixels of an image along one side."""

    side: int
    size: int
    align_corners: bool
    half_pixel_centers: bool
    single: bool = False  # whether the graph runs in float32

    def step(self, kind: type[np.floating[Any]]) -> Any:
        """Return how many pixels of the image one of the result is wide."""
        if self.align_corners and self.size > 1:
            return kind(self.side - 1) / kind(self.size - 1)
        return kind(self.side) / kind(self.size)

    def positions(self, kind: type[np.floating[Any]]) -> Array:
        """Return where each pixel of the result lies, in pixels of the image, computed in this precision."""
        half = kind(0.5 if self.half_pixel_centers else 0)
        positions: Array = (np.arange(self.size, dtype=kind) + half) * self.step(kind) - half
        return positions

    def inside(self, places: Array) -> Array:
        """Return whole places, those outside the image moved to its edge."""
        return np.clip(places.astype(np.int64), 0, self.side - 1)


def _nearest(grid: _Grid) -> _Taps:
    """Return the nearest pixel: the one that a place lies in, or, with corners aligned, the place rounded."""
    if grid.half_pixel_centers:
        places = np.floor((np.arange(grid.size, dtype=np.float32) + np.float32(0.5)) * grid.step(np.float32))
    elif grid.align_corners:
        places = np.floor(grid.positions(np.float32) + np.float32(0.5))  # C's roundf; never negative here
    else:
        places = np.floor(grid.positions(np.float32))
    return _Taps(grid.inside(places)[None], np.ones((1, grid.size)))


def _bilinear(grid: _Grid) -> _Taps:
    """Return the pixels on both sides of each place, weighed by how near they are."""
    positions = grid.positions(np.float32 if grid.single else np.float64)
    before = np.floor(positions)
    share = (positions - before).astype(np.float64)
    return _Taps(grid.inside(np.stack([before, np.ceil(positions)])), np.stack([1 - share, share]))


def _bicubic(grid: _Grid) -> _Taps:
    """Return four pixels around each place with the weights of cubic convolution.

    Keys 1981, doi 10.1109/TASSP.1981.1163711. TensorFlow takes the weights from a table of 1/1024 pixel. With
    half-pixel centres Keys' a is -0.5, and pixels outside the image weigh nothing; without, a is -0.75, and the edge
    stands in for them.
    """
    positions = grid.positions(np.float32)
    before = np.floor(positions)
    share = np.rint((positions - before) * np.float32(TABLE_STEPS)).astype(np.float64) / TABLE_STEPS
    a = -0.5 if grid.half_pixel_centers else -0.75
    wanted = np.stack([before + offset for offset in (-1, 0, 1, 2)])
    weights = np.stack([_outer(1 + share, a), _inner(share, a), _inner(1 - share, a), _outer(2 - share, a)])
    if grid.half_pixel_centers:
        weights = weights * (grid.inside(wanted) == wanted)
        weights = weights / weights.sum(axis=0)
    return _Taps(grid.inside(wanted), weights)


def _inner(x: Array, a: float) -> Array:
    """Return the weight of a pixel at a distance of 0 to 1 (Keys 1981, eq. 4)."""
    return ((a + 2) * x - (a + 3)) * x * x + 1


def _outer(x: Array, a: float) -> Array:
    """Return the weight of a pixel at a distance of 1 to 2 (Keys 1981, eq. 4)."""
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a


def _area(grid: _Grid) -> _Taps:
    """Return every pixel that a pixel of the result covers, weighed by how much of it is covered."""
    step = grid.step(np.float32)
    starts = np.arange(grid.size, dtype=np.float32) * step
    ends = (np.arange(grid.size, dtype=np.float32) + np.float32(1)) * step
    first = np.floor(starts)
    covered = first + np.arange(int((np.ceil(ends) - first).max()))[:, None]
    weights = (np.minimum(covered + 1, ends) - np.maximum(covered, starts)).clip(0) / step
    return _Taps(grid.inside(covered), weights.astype(np.float64))


def _resize(taps: Callable[[_Grid], _Taps], *, keeps_kind: bool = False) -> Operation:
    """Return an operation of an image (N, H, W, C) and a size (2) that weighs the pixels that `taps` names.

    The result is a float, or keeps the image's type where the operation only moves pixels.
    """

    def operation(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
        x, (height, width) = inputs[0], integers(inputs[1])
        x = x if keeps_kind else x.to(context.dtype)
        if x.ndim != 4 or 0 in x.shape or min(height, width) < 1:
            raise ConvertError(
                f"{tuple(x.shape)} is to have {height} × {width} pixels, four sides from 1 were expected"
            )
        allow((x.shape[0], height, max(width, x.shape[2]), x.shape[3]), x)
        single = context.dtype == torch.float32
        for dim, size in ((1, height), (2, width)):
            corners, half = (bool(node.attributes.get(name)) for name in ("align_corners", "half_pixel_centers"))
            x = _weighed(x, dim, taps(_Grid(x.shape[dim], size, corners, half, single)))
        return x

    return operation


def _weighed(x: Tensor, dim: int, taps: _Taps) -> Tensor:
    """Return the weighed sum of pixels along one dimension."""
    places = torch.from_numpy(taps.places).to(x.device)
    if len(places) == 1:
        return x.index_select(dim, places[0])
    shape = [-1 if i == dim else 1 for i in range(x.ndim)]
    total = torch.zeros((), dtype=x.dtype, device=x.device)
    for place, weight in zip(places, torch.from_numpy(taps.weights).to(x.device, x.dtype), strict=True):
        total = total + x.index_select(dim, place) * weight.reshape(shape)
    return total


RESIZES: dict[str, Operation] = {
    "ResizeArea": _resize(_area),
    "ResizeBicubic": _resize(_bicubic),
    "ResizeBilinear": _resize(_bilinear),
    "ResizeNearestNeighbor": _resize(_nearest, keeps_kind=True),
}
