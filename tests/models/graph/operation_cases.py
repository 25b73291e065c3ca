"""Inputs and attributes that every operation of `remedis.models.graph.ops` is tried with; numpy alone.

`make_operations.py` has TensorFlow compute each case and stores what comes out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

RANDOM = np.random.default_rng(0)
SIZES = ((7, 6), (8, 8))  # odd and even
NORMAL = {"strides": [1, 1, 1, 1], "padding": "SAME"}


class Case(NamedTuple):
    """One call: inputs in the operation's order, a list for one that takes several tensors."""

    op: str
    inputs: list[Any]
    attributes: Mapping[str, Any] = MappingProxyType({})


def floats(*shape: int, low: float = -4, high: float = 4) -> np.ndarray:
    """Return multiples of 1/16, which float32 holds exactly."""
    return RANDOM.integers(int(low * 16), int(high * 16), size=shape, endpoint=True) / 16


def whole(*shape: int, low: int = -9, high: int = 9, dtype: str = "int32") -> np.ndarray:
    return RANDOM.integers(low, high, size=shape, endpoint=True).astype(dtype)


def truths(*shape: int) -> np.ndarray:
    return RANDOM.integers(0, 2, size=shape).astype(bool)


def ints(*numbers: int, dtype: str = "int32") -> np.ndarray:
    return np.array(numbers, dtype=dtype)


def one(number: int, dtype: str = "int32") -> np.ndarray:
    return np.array(number, dtype=dtype)


def cases() -> Iterator[Case]:
    """Yield every case, always in the same order."""
    for part in (sources, of_one, of_two, elementwise, reductions, products, shapes, pieces, moved, made, padded):
        yield from part()
    for part in (convolutions, pools, norms, resizes):
        yield from part()


def sources() -> Iterator[Case]:
    for op in ("Identity", "StopGradient", "PreventGradient"):
        yield from (Case(op, [floats(2, 3)]), Case(op, [whole(4)]))
    yield Case("CheckNumerics", [floats(2, 3)], {"message": "of nothing"})
    yield Case("EnsureShape", [floats(2, 3)], {"shape": [None, 3]})
    yield Case("IdentityN", [[floats(2, 3), whole(2), truths(1)]])
    yield Case("PlaceholderWithDefault", [truths()], {"shape": []})
    for value in (floats(2, 3), whole(2, 2), whole(3, dtype="int64"), truths(3), np.float32([1e-5, 1e-10, 0.1])):
        yield Case("Const", [], {"value": value})
    yield Case("ReadVariableOp", [floats(3, 2)])


def of_one() -> Iterator[Case]:
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0])
    for op in ("Abs", "Exp", "Neg", "Relu", "Relu6", "Sigmoid", "Square", "Tanh", "OnesLike", "ZerosLike"):
        yield from (Case(op, [floats(3, 5)]), Case(op, [special]))
    for op in ("Log", "Reciprocal", "Rsqrt", "Sqrt"):
        yield from (Case(op, [floats(3, 5, low=0.125, high=9)]), Case(op, [np.array([0.0, np.inf, 1e-10])]))
    for op in ("Abs", "Neg", "Relu", "Square", "OnesLike", "ZerosLike"):
        yield Case(op, [whole(2, 3)])
    yield from (Case("LogicalNot", [truths(2, 3)]), Case("ZerosLike", [truths(3)]), Case("OnesLike", [truths(3)]))


def of_two() -> Iterator[Case]:
    arithmetic = ("Add", "AddV2", "Div", "FloorDiv", "FloorMod", "Maximum", "Minimum", "Mul", "RealDiv", "Sub")
    comparisons = ("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual")
    shapes = (((2, 3, 4), (3, 1)), ((4,), ()), ((2, 1, 3), (1, 5, 1)))
    for op, (a, b) in itertools.product((*arithmetic, *comparisons, "SquaredDifference", "DivNoNan"), shapes):
        yield Case(op, [floats(*a, low=-1, high=1), floats(*b, low=0.5, high=1)])
    for op in (*arithmetic, *comparisons, "SquaredDifference"):
        if op == "RealDiv":  # of floats alone
            continue
        divisors = whole(5, low=1, high=4) * ints(1, -1, 1, -1, -1)
        yield from (Case(op, [whole(4, 5), divisors]), Case(op, [whole(5, dtype="int64"), one(3, "int64")]))
    for op in ("FloorDiv", "FloorMod", "DivNoNan", "RealDiv"):
        yield Case(op, [floats(4, 5), np.array([-1.5, 2.5, -0.25, 4.0, -3.0])])
    yield Case("DivNoNan", [np.array([1.0, 0.0, -2.0, np.inf]), np.array([0.0, 0.0, 4.0, 0.0])])
    yield Case("RealDiv", [np.array([1.0, 0.0, -2.0]), np.zeros(1)])
    yield Case("Maximum", [np.array([np.nan, 1.0, np.inf]), np.array([0.0, np.nan, 2.0])])
    yield Case("Pow", [floats(2, 5, low=0.125), np.array([0.5, -0.5, 2.0, -1.0, 0.0])])
    yield Case("Pow", [floats(5, low=-4, high=-1), np.array([2.0, 3.0, -1.0, 0.0, 0.5])])
    yield Case("Pow", [whole(2, 3), ints(0, 2, 3)])
    for op in ("LogicalAnd", "LogicalOr"):
        yield from (Case(op, [truths(3, 4), truths(4)]), Case(op, [truths(3, 1), truths(1, 3)]))
    yield from (Case("Equal", [truths(4), truths(4)]), Case("NotEqual", [truths(4), truths(1)]))


def elementwise() -> Iterator[Case]:
    yield Case("AddN", [[floats(2, 3), floats(2, 3), floats(2, 3)]])
    yield Case("AddN", [[whole(4)]])
    yield Case("BiasAdd", [floats(2, 3), floats(3)])
    yield Case("BiasAdd", [floats(2, 3, 2, 4), floats(4)], {"data_format": "NHWC"})
    yield Case("BiasAdd", [floats(2, 3, 2, 4), floats(3)], {"data_format": "NCHW"})
    for target in ("int32", "int64", "bool", "float64", "float32", "uint8"):
        yield Case("Cast", [floats(2, 5, low=0, high=9)], {"DstT": target})
        yield Case("Cast", [whole(4, low=0)], {"DstT": target})
    yield Case("Cast", [floats(9)], {"DstT": "int32"})
    yield Case("Cast", [truths(4)], {"DstT": "float64"})
    yield Case("Select", [truths(2, 3), floats(2, 3), floats(2, 3)])
    yield Case("Select", [truths(4), floats(4, 2, 3), floats(4, 2, 3)])
    yield Case("Select", [np.array(True), floats(4, 2), floats(4, 2)])
    yield Case("SelectV2", [truths(3), floats(2, 3), floats(2, 1)])
    yield Case("SelectV2", [truths(2, 1, 1), whole(3), whole(2, 1)])
    yield from (Case("Softmax", [floats(2, 5)]), Case("Softmax", [floats(1, 2, 3) * 100]))


def reductions() -> Iterator[Case]:
    axes = (ints(1, 2), ints(-1), one(0), ints(0, -1, 1, 2), ints(), ints(2, dtype="int64"))
    for op in ("Mean", "Sum", "Prod", "Max", "Min"):
        for axis, keep in itertools.product(axes, (False, True)):
            yield Case(op, [floats(2, 3, 2, 3, low=-2, high=2), axis], {"keep_dims": keep})
    for op in ("Sum", "Prod", "Max", "Min"):
        yield from (Case(op, [whole(4), one(0)]), Case(op, [whole(2, 3), ints(0, 1)], {"keep_dims": True}))
    for op, axis in itertools.product(("All", "Any"), (ints(0), ints(-1, 0), ints())):
        yield Case(op, [truths(3, 4), axis], {"keep_dims": bool(axis.size == 1)})
    yield Case("Mean", [floats(2, 3, low=1e4, high=2e4), ints(1)])


def products() -> Iterator[Case]:
    for a, b in itertools.product((False, True), repeat=2):
        left, right = ((4, 2) if a else (2, 4)), ((3, 4) if b else (4, 3))
        yield Case("MatMul", [floats(*left), floats(*right)], {"transpose_a": a, "transpose_b": b})
        yield Case("BatchMatMulV2", [floats(2, 1, *left), floats(3, *right)], {"adj_x": a, "adj_y": b})
    yield Case("MatMul", [whole(2, 3), whole(3, 2)])
    yield Case("Einsum", [[floats(2, 3), floats(3, 4)]], {"equation": "ij,jk->ik"})
    yield Case("Einsum", [[floats(2, 3, 4), floats(4, 2)]], {"equation": "...c,cd->...d"})
    yield Case("Einsum", [[floats(2, 3, 2, 4), floats(4)]], {"equation": "nhwc,c->nc"})


def shapes() -> Iterator[Case]:
    for shape in (ints(6), ints(3, -1), ints(-1, 1, 2, dtype="int64"), ints(1, 2, 3)):
        yield Case("Reshape", [floats(2, 3), shape])
    yield from (Case("Reshape", [floats(1), ints()]), Case("Reshape", [whole(0, 3), ints(3, 0)]))
    for kind in ("int32", "int64"):
        yield Case("Shape", [floats(2, 0, 3)], {"out_type": kind})
        yield Case("ShapeN", [[floats(2, 3), floats(4)]], {"out_type": kind})
        yield Case("Size", [floats(2, 3)], {"out_type": kind})
    yield from (Case("Shape", [floats()]), Case("Rank", [floats(2, 3, 1)]), Case("Rank", [whole()]))
    yield from (Case("Squeeze", [floats(1, 2, 1)]), Case("Squeeze", [floats(1, 2, 1)], {"axis": [0]}))
    yield Case("Squeeze", [floats(2, 1, 1, 3)], {"axis": [-2, 1]})
    for axis in (0, 2, -1, -2):
        yield Case("ExpandDims", [floats(2, 3), one(axis)])
    yield from (Case("Transpose", [floats(2, 3), ints(1, 0)]), Case("Transpose", [whole(2, 3, 1, 2), ints(3, 0, 2, 1)]))
    yield Case("BroadcastArgs", [ints(2, 1, 3), ints(5, 1)])
    yield Case("BroadcastArgs", [ints(dtype="int64"), ints(2, 2, dtype="int64")])


def pieces() -> Iterator[Case]:
    for axis in (0, 1, -1, -2):
        yield Case("Pack", [[floats(2, 3), floats(2, 3)]], {"axis": axis})
        yield Case("Unpack", [floats(2, 2, 2)], {"num": 2, "axis": axis})
        yield Case("ConcatV2", [[floats(2, 3), floats(2, 3)], one(axis)])
    yield from (
        Case("Pack", [[one(3), one(4), one(5)]], {"axis": 0}),
        Case("ConcatV2", [[ints(1), ints(2, 3)], one(0)]),
    )
    yield Case("Split", [one(1), floats(2, 6)], {"num_split": 3})
    yield Case("Split", [one(-2), floats(2, 3)], {"num_split": 2})
    yield Case("SplitV", [floats(2, 6), ints(1, 3, 2), one(1)], {"num_split": 3})
    yield Case("SplitV", [floats(5, 2), ints(2, -1, dtype="int64"), one(-2)], {"num_split": 2})
    yield Case("Slice", [floats(3, 4, 2), ints(1, 0, 1), ints(2, -1, 1)])
    yield Case("Slice", [floats(5), ints(2, dtype="int64"), ints(0, dtype="int64")])
    for places in (ints(2, 0, 2), one(1), whole(2, 3, low=0, high=2)):
        yield Case("GatherV2", [floats(3, 4), places, one(0)])
        yield Case("GatherV2", [floats(2, 3, 2), places, one(-2)])
        yield Case("GatherV2", [floats(2, 3), places, one(-1)])
    yield from strided()


def strided() -> Iterator[Case]:
    def case(shape: tuple[int, ...], *numbers: list[int], **masks: int) -> Case:
        index = [ints(*part) for part in numbers]  # begin, end, strides
        return Case("StridedSlice", [floats(*shape), *index], {f"{name}_mask": mask for name, mask in masks.items()})

    yield case((4,), [1], [2], [1], shrink_axis=1)
    yield case((4,), [-1], [0], [1], shrink_axis=1)
    yield case((4,), [2], [0], [1], shrink_axis=1, begin=1, end=1)
    yield case((6,), [1], [5], [2])
    yield case((6,), [4], [0], [-2])
    yield case((6,), [-2], [-7], [-1])
    yield case((5,), [0], [0], [-1], begin=1, end=1)
    yield case((5,), [3], [1], [1])
    yield case((5,), [-99], [99], [3])
    yield case((3, 4), [0, 1], [2, 9], [1, 2])
    yield case((3, 4), [1], [3], [1], begin=1)
    yield case((3, 4), [0, 1], [0, 3], [1, 1], begin=1, end=1)
    yield case((3, 4), [0, 1, 0], [0, 3, 0], [1, 1, 1], ellipsis=1, new_axis=4)
    yield case((2, 3, 2, 3), [1, 0, 1], [2, 0, 2], [1, 1, 1], ellipsis=2, shrink_axis=5)
    yield case((2, 3, 2, 3), [0, 0, 2], [0, 0, -4], [1, 1, -1], ellipsis=2, begin=1, end=1)
    yield case((2, 3), [0, 0, 0], [0, 0, 0], [1, 1, 1], new_axis=2, begin=5, end=5)
    yield case((2, 3), [0, 0, 1], [0, 0, 2], [1, 1, 1], new_axis=3, shrink_axis=6)
    yield case((2, 3, 2), [0, 1, 0], [0, 3, 0], [1, 1, 1], ellipsis=4, begin=1, end=1)
    yield case((2, 3), [0, 0, 0], [0, 0, 0], [1, 1, 1], ellipsis=2, begin=5, end=5)


def moved() -> Iterator[Case]:
    for counts in (ints(2, 1), ints(1, 3), ints(0, 2)):
        yield Case("Tile", [floats(2, 3), counts])
    for shape in (ints(2, 3), ints(4, 2, 3), ints(2, 2, 3, dtype="int64")):
        yield Case("BroadcastTo", [floats(2, 1), shape])
    yield Case("BroadcastTo", [whole(), ints(2)])


def made() -> Iterator[Case]:
    yield from (Case("Fill", [ints(2, 3), floats()]), Case("Fill", [ints(), whole()]))
    yield Case("Fill", [ints(0, 3, dtype="int64"), np.array(True)])
    for start, limit, delta in ((0, 5, 1), (3, 12, 4), (5, -1, -2), (2, 2, 1)):
        yield Case("Range", [one(start), one(limit), one(delta)])
        yield Case("Range", [one(start, "int64"), one(limit, "int64"), one(delta, "int64")])
    yield Case("Range", [np.array(0.5), np.array(2.0), np.array(0.25)])
    yield Case("Range", [np.array(1.0), np.array(-0.75), np.array(-0.5)])


def padded() -> Iterator[Case]:
    image = ints(0, 0, 1, 2, 3, 0, 0, 0).reshape(4, 2)
    for x, widths in ((floats(2, 3), ints(1, 2, 0, 1).reshape(2, 2)), (floats(1, 3, 2, 2), image)):
        yield from (Case("Pad", [x, widths]), Case("PadV2", [x, widths, np.array(-1.5)]))
    yield Case("Pad", [whole(3), ints(2, 1, dtype="int64").reshape(1, 2)])
    yield Case("PadV2", [whole(3), ints(2, 1).reshape(1, 2), one(7)])
    for mode in ("REFLECT", "SYMMETRIC"):
        for shape, widths in (((4, 3), (2, 3, 0, 1)), ((1, 4, 5, 2), (0, 0, 3, 2, 1, 4, 0, 1))):
            yield Case("MirrorPad", [floats(*shape), ints(*widths).reshape(-1, 2)], {"mode": mode})


def convolutions() -> Iterator[Case]:
    explicit = {"strides": [1, 2, 2, 1], "padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 2, 3, 0, 0, 0]}
    settings = [
        {"strides": [1, step, step, 1], "padding": padding} for step in (1, 2, 3) for padding in ("SAME", "VALID")
    ]
    settings += [explicit, {**NORMAL, "dilations": [1, 2, 2, 1]}, {**NORMAL, "dilations": [1, 1, 2, 1]}]
    settings += [{**NORMAL, "strides": [1, 2, 1, 1]}]
    for (height, width), side, setting in itertools.product(SIZES, (1, 3, 4), settings):
        if "dilations" in setting and side == 1:
            continue
        yield from both_layouts(Case("Conv2D", [floats(1, height, width, 2), floats(side, side, 2, 2)], setting))
    yield Case("Conv2D", [floats(2, 9, 10, 3), floats(7, 7, 3, 2)], {"strides": [1, 2, 2, 1], "padding": "SAME"})
    yield from both_layouts(Case("Conv2D", [floats(1, 5, 4, 4), floats(3, 3, 2, 6)], NORMAL))
    for (height, width), padding, step in itertools.product(SIZES, ("SAME", "VALID"), (1, 2)):
        setting = {"strides": [1, step, step, 1], "padding": padding}
        depthwise = [floats(1, height, width, 2), floats(3, 2, 2, 2)]
        yield from both_layouts(Case("DepthwiseConv2dNative", depthwise, setting))
    yield Case("DepthwiseConv2dNative", [floats(1, 6, 5, 3), floats(3, 3, 3, 1)], explicit)


def pools() -> Iterator[Case]:
    for op, (height, width), side, step, padding in itertools.product(
        ("MaxPool", "AvgPool"), SIZES, (2, 3), (1, 2, 3), ("SAME", "VALID")
    ):
        setting = {"ksize": [1, side, side, 1], "strides": [1, step, step, 1], "padding": padding}
        yield from both_layouts(Case(op, [floats(1, height, width, 2) - 5], setting))
    setting = {"ksize": [1, 3, 2, 1], "strides": [1, 2, 1, 1]}
    explicit = {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 0, 0, 1, 0, 0]}
    yield Case("MaxPool", [floats(2, 7, 6, 1) - 5], {**setting, **explicit})
    yield Case("AvgPool", [floats(2, 7, 6, 1)], {**setting, "padding": "SAME"})
    yield Case("MaxPool", [np.array([-np.inf, 1.0, -np.inf, 2.0]).reshape(1, 4, 1, 1)], {**setting, "padding": "SAME"})


def norms() -> Iterator[Case]:
    x, empty = floats(2, 4, 3, 2), np.zeros(0)
    statistics = [floats(2, low=-1, high=1), floats(2, low=0.5, high=2)]
    for op, epsilon in (("FusedBatchNorm", 1e-3), ("FusedBatchNormV2", 1e-5), ("FusedBatchNormV3", 0.25)):
        inputs = [x, floats(2, low=0.5, high=2), floats(2)]
        setting = {"epsilon": epsilon, "is_training": False}
        yield from both_layouts(Case(op, [*inputs, *statistics], setting))
        yield from both_layouts(Case(op, [*inputs, empty, empty], {**setting, "is_training": True}))
        moving = {**setting, "is_training": True, "exponential_avg_factor": 0.25}
        yield Case(op, [*inputs, *statistics], moving)


def resizes() -> Iterator[Case]:
    sizes = ((7, 9), (3, 4), (5, 6), (1, 1), (11, 13))
    for size, corners, half in itertools.product(sizes, (False, True), (False, True)):
        if corners and half:  # TensorFlow refuses it
            continue
        setting = {"align_corners": corners, "half_pixel_centers": half}
        for op in ("ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor"):
            yield Case(op, [floats(1, 5, 6, 1), ints(*size)], setting)
        if not half:
            yield Case("ResizeArea", [floats(1, 5, 6, 1), ints(*size)], {"align_corners": corners})
    yield Case("ResizeNearestNeighbor", [whole(1, 4, 3, 2, low=0, dtype="uint8"), ints(7, 2)])
    yield Case("ResizeBilinear", [whole(1, 4, 3, 2, low=0, dtype="uint8"), ints(7, 2)], {"half_pixel_centers": True})
    yield Case("ResizeBicubic", [floats(1, 1, 2, 1), ints(3, 5)], {"half_pixel_centers": True})
    # places computed in float64 would lie in other pixels here
    yield Case("ResizeNearestNeighbor", [floats(1, 2, 1, 1), ints(41, 1)], {"half_pixel_centers": True})
    yield Case("ResizeNearestNeighbor", [floats(1, 8, 1, 1), ints(47, 1)], {"align_corners": True})
    yield Case("ResizeNearestNeighbor", [floats(1, 14, 1, 1), ints(46, 1)])


def both_layouts(case: Case) -> Iterator[Case]:
    """Yield a case as it is and marked to be stored a second time as NCHW.

    TensorFlow on a CPU computes little in NCHW; the script turns inputs, outputs and attributes round by itself.
    """
    yield case
    yield case._replace(attributes={**case.attributes, "data_format": "NCHW"})
