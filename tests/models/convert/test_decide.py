"""What the converter finds out about a graph, against what was written and what an independent program computes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from remedis.errors import ConvertError
from remedis.models.convert.decide import Decision, decide, network_of, range_of
from remedis.models.convert.original import Original, find_network
from remedis.models.convert.savedmodel_convert import weights_of
from remedis.models.difference import relative
from remedis.models.savedmodel import open_savedmodel
from savedmodels import rebuild

FORM = re.compile(r"r26x1-(hub|bare|object)-(raw|scaled)-(before|after|pooled)-(64|free)")
ALL = [name for name in rebuild.fixtures() if not name.startswith("refused-")]
QUICK = [  # most ways of writing norms, kernels, pools and scales; the slow test has all
    "r26x1-hub-raw-after-64",
    "r26x1-hub-raw-pooled-64",
    "r26x1-hub-scaled-pooled-free",
    "r26x1-bare-raw-after-free",
    "r26x1-bare-scaled-after-64",
    "r26x1-object-raw-before-64",
    "r26x1-object-scaled-before-free",
    "r26x1-nchw-64",
    "r26x1-resize-free",
    "r26x1-trainable-scaled-64",
    "tf1-resnet18-cifar-free",
    "tf1-resnet18-fused-64",
]
SLOWLY_REFUSED = ["refused-groups-16", "refused-no-final-relu", "refused-stride-first"]
REASONS = {
    "erf": r"the operations Erf \(node ",
    "hue": r"the operations AdjustHue \(node ",
    "squeeze-excite": "where no layer of a known network has it",
    "scores": "where no layer of a known network has it",
    "vgg": "a shortcut that does not project",
}


def decided(folder: Path) -> tuple[Original, dict[str, torch.Tensor], Decision]:
    """Return the original, our weights in float64, and what was decided."""
    saved = open_savedmodel(folder)
    original = Original(saved, find_network(saved))
    weights = {name: value.double() if value.ndim else value for name, value in weights_of(original).items()}
    return original, weights, decide(original, weights)


def check(name: str, folder: Path) -> None:
    """Hold one converted network against the record and the stored outputs."""
    expected, outputs = rebuild.record(name)["expected"], rebuild.outputs(name)
    original, weights, decision = decided(folder)
    contract = decision.contract
    assert original.found.layers.architecture.name == expected["architecture"]
    assert (contract.map, contract.kernels) == (expected["map"], expected["kernels"])
    scale, shift = contract.scale_and_shift(None)
    assert (scale, shift) == pytest.approx((expected["scale"], expected["shift"]), rel=1e-6)
    assert contract.range == (0, expected["high"])
    assert contract.range_source == ("assumed" if (expected["scale"], expected["shift"]) == (1, 0) else "graph")
    assert contract.resize == expected["resize"]
    assert original.size == (None if expected["sizes"] == "free" else expected["sizes"])
    assert decision.distance < 1e-9  # our network and the stored graph
    assert contract.kernel_eps in (expected["kernel_eps"], expected["eps_in_graph"]["kernel"])
    assert contract.norm_eps in (expected["norm_eps"], expected["eps_in_graph"]["norm"])
    network = network_of(original.found.layers.architecture, contract, weights)
    every = rebuild.record(name)["every"]
    sides = [int(key.removeprefix("map_")) for key in outputs if key.startswith("map_")]
    assert sides
    for side in sides:
        x = torch.from_numpy(rebuild.images(name, side).astype(np.float64)).permute(0, 3, 1, 2)
        found = network.outputs(x)
        truth = torch.from_numpy(outputs[f"map_{side}"]).permute(0, 3, 1, 2)
        assert relative(found["map"][:, ::every], truth) < 1e-9
        assert relative(found["embedding"][:, ::every], torch.from_numpy(outputs[f"embedding_{side}"])) < 1e-9
        if f"tensorflow_{side}" not in outputs:  # NCHW, which it does not run on processors
            continue
        theirs = torch.from_numpy(outputs[f"tensorflow_{side}"])
        what = "map" if theirs.ndim == 4 and theirs.shape[1] > 1 else "embedding"
        truth = torch.from_numpy(outputs[f"{what}_{side}"]).reshape(theirs.shape)
        single = network_of(original.found.layers.architecture, contract, floats(weights)).outputs(x.float())[what]
        single = single[:, ::every].movedim(1, -1).reshape(theirs.shape)
        assert relative(single, truth) < max(1e-5, 3 * relative(theirs, truth))


def floats(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights in float32."""
    return {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}


@pytest.mark.parametrize("name", QUICK)
def test_the_network_computes_what_the_graph_computes(name: str, savedmodel: Callable[[str], Path]) -> None:
    check(name, savedmodel(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ALL if name not in QUICK])
def test_every_combination_of_forms(name: str, tmp_path: Path) -> None:
    check(name, rebuild.rebuild(name, tmp_path / "original"))


@pytest.mark.parametrize(
    ("scale", "shift", "expected"),
    [
        (2.0, -1.0, (0.0, 1.0)),
        (float(np.float32(1 / 127.5)), -1.0, (0.0, 255.0)),
        (1 / 255, 0.0, (0.0, 255.0)),
        (2.0, 0.0, None),  # [0, 0.5] is no range that anybody has
        (1 / 0.225, -2.0, None),  # one mean and one deviation for all channels
    ],
)
def test_only_usual_ranges_are_read_off_a_scale(
    scale: float, shift: float, expected: tuple[float, float] | None
) -> None:
    assert range_of(scale, shift) == expected


def test_all_combinations_are_there() -> None:
    assert len([name for name in ALL if FORM.fullmatch(name)]) == 3 * 2 * 3 * 2
    assert set(QUICK) <= set(ALL)


def refused(name: str, folder: Path) -> None:
    """Assert that a network that is not ours is refused, and that it is said why."""
    with pytest.raises(ConvertError) as caught:
        decided(rebuild.rebuild(name, folder))
    reason = REASONS.get(name.removeprefix("refused-"), r"the nearest \(bit-r26x1, .*\) differs by .*, at most 1e-09")
    assert re.search(reason, str(caught.value)), caught.value
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    "name", [name for name in rebuild.fixtures() if name.startswith("refused-") and name not in SLOWLY_REFUSED]
)
def test_another_network_is_refused(name: str, tmp_path: Path) -> None:
    refused(name, tmp_path / "original")


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOWLY_REFUSED)
def test_a_network_that_is_nearly_right_is_refused(name: str, tmp_path: Path) -> None:
    refused(name, tmp_path / "original")
