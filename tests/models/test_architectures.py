"""What timm's name of a network promises: that timm computes the same."""

from __future__ import annotations

import numpy as np
import pytest

from remedis.models.architectures import architecture
from remedis.models.contract import Contract


@pytest.mark.parametrize("network", ["bit-r50x1", "resnet50"])
def test_a_network_with_its_own_arithmetic_has_no_name_in_timm(network: str) -> None:
    found = architecture(network)
    assert found.timm_name(Contract()) is not None
    assert found.timm_name(Contract(norm_eps=float(np.float32(1e-5)))) is not None  # 1e-5, rounded
    assert found.timm_name(Contract(norm_eps=1e-3)) is None
    assert found.timm_name(Contract(resize=64)) is None


@pytest.mark.parametrize("change", [{"kernels": "ready"}, {"map": "before-norm"}])
def test_bits_kernels_and_map_must_be_timms(change: dict[str, str]) -> None:
    assert architecture("bit-r50x1").timm_name(Contract(**change)) is None  # type: ignore[arg-type]


def test_simclrs_padding_is_not_timms() -> None:
    assert architecture("resnet50").timm_name(Contract(padding="tf")) is None
