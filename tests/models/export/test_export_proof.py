"""The rule that every export is held to, and the place where its files appear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from remedis.errors import CheckFailedError, FolderError
from remedis.models.encoder import Encoder
from remedis.models.export.exported import files_beside
from remedis.models.export.proof import Difference, batches, differences, expected, refuse_far
from remedis.models.load import random_timm_encoder


def test_three_times_our_own_distance_or_1e_5_is_accepted_and_no_more() -> None:
    near = Difference((2, 3, 65, 49), "features", found=2.9e-5, ours=1e-5)
    refuse_far("it", (near, replace(near, found=0.9e-5, ours=1e-9)))
    for far in (replace(near, found=3.1e-5), replace(near, found=1.1e-5, ours=1e-9), replace(near, found=float("nan"))):
        with pytest.raises(
            CheckFailedError, match=r"it is not what the encoder computes.* features of images 2 x 3"
        ) as e:
            refuse_far("it", (far, near))
        assert e.value.exit_status == 1
        assert f"{far.found:.1e} (relative) from float64, ours {far.ours:.1e}" in str(e.value)


def test_the_images_have_even_and_odd_and_unequal_sides(encoder: Encoder) -> None:
    even, odd = batches(encoder)
    assert even.shape == (3, 3, 64, 64)
    assert odd.shape == (2, 3, 65, 49)
    assert min(even.min(), odd.min()) >= 0
    assert max(even.max(), odd.max()) <= 1
    assert even.dtype == odd.dtype == torch.float32


def test_a_network_of_one_size_is_proved_at_that_size() -> None:
    sizes = [tuple(batch.shape) for batch in batches(random_timm_encoder("timm:test_vit", seed=0))]
    assert sizes == [(3, 3, 160, 160), (2, 3, 160, 160)]


def test_the_reference_is_float64_of_the_images_in_the_encoders_range(
    encoder: Encoder, by_numpy: Callable[..., dict]
) -> None:
    batch = torch.rand(1, 3, 33, 40)
    (found,) = expected(encoder, [batch])
    for name, value in by_numpy(batch).items():
        difference = found.outputs[name] - torch.from_numpy(value)
        assert difference.norm() / found.outputs[name].norm() < 1e-12
        assert 1e-8 < found.ours[name] < 1e-4  # float32 is neither exact nor far off
    other_range = Encoder(encoder.backbone, replace(encoder.contract, range=(-3.0, 5.0)), "x")
    (found,) = expected(other_range, [batch])
    with torch.no_grad():
        plain = encoder.backbone.outputs(batch * 8 - 3)["map"]
    assert (found.outputs["features"] - plain).norm() / plain.norm() < 1e-4


def test_an_output_that_is_missing_or_of_another_shape_is_infinitely_far(encoder: Encoder) -> None:
    wanted = expected(encoder, [torch.rand(1, 3, 32, 32)])
    assert [one.found for one in differences(lambda images: {}, wanted)] == [float("inf")] * 2
    turned = differences(lambda images: {"features": wanted[0].outputs["features"].flatten(2)}, wanted)
    assert all(one.found == float("inf") for one in turned)
    same = differences(lambda images: wanted[0].outputs, wanted)
    assert [one.found for one in same] == [0.0, 0.0]
    assert {one.output for one in same} == {"embedding", "features"}


def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "m.onnx"

    def place(*names: str, fails: bool = False) -> None:
        with files_beside(out) as scratch:
            for name in names:
                (scratch / name).write_text("new")
            assert not out.exists()
            if fails:
                raise CheckFailedError("no")

    with pytest.raises(CheckFailedError):
        place("m.onnx", fails=True)
    assert list(out.parent.iterdir()) == []
    place("m.onnx", "m.onnx.data")
    assert sorted(path.name for path in out.parent.iterdir()) == ["m.onnx", "m.onnx.data"]
    with pytest.raises(FolderError, match="exists; choose another --out"):
        place("m.onnx")
    out.unlink()
    (out.parent / "m.onnx.data").write_text("old")
    with pytest.raises(FolderError, match=r"m\.onnx\.data: exists"):
        place("m.onnx", "m.onnx.data")
    assert [path.read_text() for path in out.parent.iterdir()] == ["old"]
