"""Which variable is which layer, against what TensorFlow wrote: every form of graph, whatever the variables' names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from remedis.errors import ConvertError
from remedis.models.convert.flow import Flow
from remedis.models.convert.layers import BIT_ROLES, Table
from remedis.models.convert.original import find_network
from remedis.models.dataflow import Graph, Ref
from remedis.models.savedmodel import open_savedmodel
from savedmodels import rebuild

DATA = "variables/variables.data-00000-of-00001"
FORM = re.compile(r"r26x1-(hub|bare|object)-(raw|scaled)-(before|after|pooled)-(64|free)")

_BIT = [  # Big Transfer's names and timm's: google-research/big_transfer bit_pytorch/models.py, timm resnetv2.py
    (r"root_block/standardized_conv2d/kernel", "stem.conv.weight"),
    (r"group_norm/gamma", "norm.weight"),
    (r"group_norm/beta", "norm.bias"),
    (r"block(\d)/unit(\d\d)/a/proj/standardized_conv2d/kernel", "stages.{s}.blocks.{u}.downsample.conv.weight"),
    (r"block(\d)/unit(\d\d)/([abc])/standardized_conv2d/kernel", "stages.{s}.blocks.{u}.conv{n}.weight"),
    (r"block(\d)/unit(\d\d)/([abc])/group_norm/gamma", "stages.{s}.blocks.{u}.norm{n}.weight"),
    (r"block(\d)/unit(\d\d)/([abc])/group_norm/beta", "stages.{s}.blocks.{u}.norm{n}.bias"),
]


def bit_name(canonical: str) -> str | None:
    """Return timm's name for Big Transfer's; None where it is no parameter of the network."""
    for pattern, ours in _BIT:
        match = re.fullmatch(pattern, canonical)
        if match:
            groups = [*match.groups(), "", "", ""]
            if not groups[0]:
                return ours
            return ours.format(s=int(groups[0]) - 1, u=int(groups[1]) - 1, n=" abc".find(groups[2] or " "))
    return None


def hollow(name: str, folder: Path) -> Mapping[int, str]:
    """Write a SavedModel whose variables are empty space; return the canonical name of what begins at each byte."""
    members, found = rebuild._members(name), rebuild.record(name)
    names = {}
    for path, described in found["files"].items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        kept = members[f"files/{path}"]
        with place.open("wb") as file:
            for part in described["parts"]:
                if isinstance(part, int):
                    file.write(kept[:part])
                    kept = kept[part:]
                else:
                    names[file.tell()] = part[0]
                    file.seek(4 * int(np.prod(part[1])) if part[1] else 8, 1)  # a lone number is the step, int64
            file.truncate()
    return names


@pytest.mark.parametrize("name", [name for name in rebuild.fixtures() if FORM.fullmatch(name)])
def test_every_parameter_is_found_by_following_the_graph(name: str, tmp_path: Path) -> None:
    names = hollow(name, tmp_path)
    saved = open_savedmodel(tmp_path)
    found = find_network(saved)
    layers = found.layers
    expected = rebuild.record(name)["expected"]
    assert layers.architecture.name == expected["architecture"]
    averaged = rebuild.record(name)["variant"]["averaged"]
    for ours, node in layers.sources.items():
        offset = saved.bundle.entries[found.graph.nodes[node].attributes["key"]].offset
        canonical = names[offset]
        assert ("Average" in canonical or "average" in canonical) == averaged, canonical
        if averaged:
            canonical = canonical.rpartition("/")[0]
        assert bit_name(canonical) == ours
    norm = expected["map"] == "after-norm"
    assert len(layers.sources) == (79 if norm else 77)  # 29 kernels, 24 norms of two, and the last norm
    assert layers.final_norm == norm


def test_a_norm_that_lacks_a_variable_is_named() -> None:
    flow = Flow(Graph("@images", (None, None, None, 3), {}, {}), Ref("@images"), {})
    with pytest.raises(ConvertError, match=r"where norm should be stands nothing; scale, offset were expected"):
        Table(flow, {}, BIT_ROLES).norm("norm", frozenset())
