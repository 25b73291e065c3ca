"""Every operation that a graph may have against TensorFlow itself, whose numbers `make_operations.py` stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stored_operations import STORED, Stored, cases, graphs

from remedis.models.graph import run
from remedis.models.graph.ops import OPERATIONS

# TensorFlow's kernel was float64, or float32 (there is no other): then its own rounding is the difference. Its bicubic
# and area weights are float32 too, so that a pixel is a sum of up to 16 products of numbers up to 4, each rounded.
TOLERANCE = {"float64": 1e-13, "float32": 3e-6}
ALONE = sorted({case["op"] for case in STORED["cases"]})
KINDS = {np.dtype(name): getattr(torch, name) for name in ("bool", "uint8", "int32", "int64")}
WITHIN_GRAPHS = {"Placeholder", "Variable"}  # no operation that can be called by itself


def close(stored: Stored, dtype: torch.dtype, tolerance: float) -> None:
    found = run(stored.graph, torch.from_numpy(stored.image), stored.variables.__getitem__, dtype=dtype)
    for ref, expected in stored.expected.items():
        what = f"{stored.graph.nodes[ref.node]}"
        assert found[ref].dtype == KINDS.get(expected.dtype, dtype), what
        assert tuple(found[ref].shape) == expected.shape, what
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=0) if expected.dtype.kind == "f" else 0
        np.testing.assert_allclose(found[ref].numpy(), expected, rtol=tolerance, atol=tolerance * scale, err_msg=what)


@pytest.mark.parametrize("op", ALONE)
def test_an_operation_is_tensorflows(op: str) -> None:
    for stored in cases(op):
        close(stored, torch.float64, TOLERANCE[stored.precision])


@pytest.mark.parametrize("op", ALONE)
def test_an_operation_is_tensorflows_in_float32(op: str) -> None:
    for stored in cases(op):
        close(stored, torch.float32, 1e-5)


def test_no_operation_was_left_out() -> None:
    assert set(ALONE) | WITHIN_GRAPHS == set(OPERATIONS)
    used = {node.op for stored in graphs().values() for node in stored.graph.nodes.values()}
    assert used >= WITHIN_GRAPHS
