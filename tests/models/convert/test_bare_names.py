"""Names in files of weights: found under any prefix, held against other libraries' networks; other networks refused."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest
import timm
import torch
import torchvision

from references import bit_names
from remedis.errors import ConvertError
from remedis.models.architectures import architecture, build_empty
from remedis.models.contract import Contract
from remedis.models.convert.left_out import in_words
from remedis.models.convert.names import Named, find_named

Shapes = dict[str, tuple[int, ...]]
BIT_NAMES = ["bit-r26x1", "bit-r26x4", "bit-r50x3", "bit-r101x1", "bit-r152x2"]
RESNETS = ["resnet18-cifar", "resnet18x2", "resnet34", "resnet50-cifar", "resnet50x4", "resnet101", "resnet200"]
HEAD: Shapes = {"head/conv2d/kernel": (1, 1, 2048, 10), "head/conv2d/bias": (10,)}


@cache
def ours(name: str, *, final_norm: bool | None = None) -> dict[str, torch.Tensor]:
    weights = build_empty(architecture(name), Contract(), final_norm=final_norm).state_dict()
    return {key: one for key, one in weights.items() if not key.endswith("num_batches_tracked")}


def shapes_of(weights: Mapping[str, torch.Tensor], prefix: str = "") -> Shapes:
    return {prefix + name: tuple(one.shape) for name, one in weights.items()}


def in_tensorflow(name: str, prefix: str = "resnet/") -> Shapes:
    return shapes_of(bit_names.in_tensorflow(ours(name), architecture(name).depth), prefix)


def found(named: Named) -> tuple[str, str, str]:
    return named.architecture.name, named.place.style.key, named.place.prefix


@pytest.mark.parametrize("name", BIT_NAMES)
def test_names_of_bits_programs_lead_to_the_parameters_that_they_are(name: str) -> None:
    table = [row for row in bit_names.pairs(architecture(name).depth) if row[0] in ours(name)]
    assert len(table) == len(ours(name))
    named = find_named(in_tensorflow(name))
    assert found(named) == (name, "tensorflow", "resnet/")
    assert named.theirs == {timms: "resnet/" + theirs for timms, theirs, _ in table}
    named = find_named(shapes_of(bit_names.in_pytorch(ours(name), architecture(name).depth), "module."))
    assert found(named) == (name, "bit_pytorch", "module.")
    assert named.theirs == {timms: "module." + theirs for timms, _, theirs in table}
    assert found(find_named(shapes_of(ours(name)))) == (name, "timm", "")


@pytest.mark.parametrize("name", RESNETS)
def test_resnets_of_every_depth_width_and_stem(name: str) -> None:
    named = find_named(shapes_of(ours(name), "module.encoder_q."))
    assert found(named) == (name, "torchvision", "module.encoder_q.")
    assert named.theirs == {key: "module.encoder_q." + key for key in ours(name)}


@pytest.mark.parametrize(
    ("library", "theirs", "name"),
    [
        ("timm", "resnetv2_50x1_bit", "bit-r50x1"),
        ("timm", "resnet50", "resnet50"),
        ("torchvision", "resnet50", "resnet50"),
    ],
)
def test_whole_networks_of_other_libraries_their_heads_left_out(library: str, theirs: str, name: str) -> None:
    with torch.device("meta"):
        network = timm.create_model(theirs) if library == "timm" else getattr(torchvision.models, theirs)()
    named = find_named(shapes_of(network.state_dict(), "state_dict.model."))
    assert named.architecture.name == name
    assert {one.removeprefix("state_dict.model.") for one in named.left_out["head"]} == {
        f"{'head.fc' if name.startswith('bit') else 'fc'}.{kind}" for kind in ("weight", "bias")
    }
    assert set(named.left_out) <= {"head", "counter"}
    assert len(named.theirs) + sum(map(len, named.left_out.values())) == len(network.state_dict())


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        ("resnet18", "whose first block has no projection.*--encoder timm:resnet18"),
        ("resnet34", "whose first block has no projection.*--encoder timm:resnet34"),
        ("resnet26", "stages of 2-2-2-2 bottleneck units"),
        ("resnet50d", "its stem has three convolutions"),
        ("skresnet50", "selective kernels"),
        ("seresnet50", "squeeze-and-excitation"),
        ("resnext50_32x4d", "has the shape"),
        ("wide_resnet50_2", "has the shape"),
        ("resnetv2_50", "batch norms where BiT has group norms"),
        ("resnetv2_50d_gn", "its stem has three convolutions"),
        ("vit_tiny_patch16_224", "no network that is known here"),
    ],
)
def test_other_networks_are_refused_in_words(theirs: str, words: str) -> None:
    with torch.device("meta"):
        network = timm.create_model(theirs)
    with pytest.raises(ConvertError, match=words):
        find_named(shapes_of(network.state_dict()))


def test_our_selective_kernels_and_images_of_one_channel_are_refused() -> None:
    with pytest.raises(ConvertError, match="its stem has three convolutions"):
        find_named(shapes_of(ours("resnet50-sk")))
    shapes = shapes_of(ours("resnet50"))
    with pytest.raises(ConvertError, match="a first kernel of 7 px from 1 to 64"):
        find_named({**shapes, "conv1.weight": (64, 1, 7, 7)})
    with pytest.raises(ConvertError, match="a first kernel of 5 px"):
        find_named({**shapes, "conv1.weight": (64, 3, 5, 5)})
    with pytest.raises(ConvertError, match="its shortcuts pool"):
        find_named({**shapes, "layer1.0.downsample.2.weight": (256,)})


def test_slots_averages_heads_and_counters_are_left_out_and_said() -> None:
    shapes = in_tensorflow("bit-r26x1")
    slots = {
        f"{name}/{slot}": shape for name, shape in shapes.items() for slot in ("Momentum", "ExponentialMovingAverage")
    }
    heads: Shapes = {"resnet/head/conv2d/kernel": (1, 1, 2048, 9), "head_contrastive/nl_0/dense/kernel": (2048, 2048)}
    named = find_named({**slots, **shapes, **heads, "global_step": ()})
    assert found(named) == ("bit-r26x1", "tensorflow", "resnet/")
    assert {reason: len(names) for reason, names in named.left_out.items()} == {
        "optimiser": len(shapes), "moving average": len(shapes), "head": 2, "number of the loss or the training": 1,
    }  # fmt: skip
    words = in_words(named.left_out)
    assert "head (2 tensors: resnet/head/conv2d/kernel …)" in words
    assert "global_step" in words


def test_of_several_networks_the_prefix_picks_one() -> None:
    one = ours("resnet50")
    shapes = {**shapes_of(one, "module.encoder_q."), **shapes_of(one, "module.encoder_k.")}
    shapes |= {"module.queue": (128, 65536), "module.queue_ptr": (1,), "module.encoder_k.fc.0.weight": (2048, 2048)}
    shapes |= {"module.encoder_k.bn1.num_batches_tracked": (), "module.encoder_q.bn1.num_batches_tracked": ()}
    with pytest.raises(ConvertError, match=r"several networks, under module\.encoder_k, module\.encoder_q; --prefix"):
        find_named(shapes)
    for prefix, other in (("module.encoder_q", "module.encoder_k."), ("module.encoder_k.", "module.encoder_q.")):
        named = find_named(shapes, prefix)
        assert named.place.prefix.rstrip(".") == prefix.rstrip(".")
        assert all(name.startswith(named.place.prefix) for name in named.theirs.values())
        assert len(named.left_out["other network"]) >= len(one)
        assert all(name.startswith(other) for name in named.left_out["other network"])
        assert named.left_out["queue of negatives"] == ("module.queue", "module.queue_ptr")
    with pytest.raises(ConvertError, match=r"begin with 'encoder_q'; there are module\.encoder_k, module\.encoder_q"):
        find_named(shapes, "encoder_q")


@pytest.mark.parametrize("average", ["state_dict_ema.", "model_ema.module.", "ema."])
def test_an_average_beside_the_network_is_its_copy(average: str) -> None:
    one = ours("resnet18")
    both = {**shapes_of(one, average), **shapes_of(one, "state_dict.")}
    named = find_named(both)
    assert named.place.prefix == "state_dict."
    assert len(named.left_out["moving average"]) == len(one)
    assert find_named(both, average).place.prefix == average
    assert find_named(shapes_of(one, average)).place.prefix == average


def test_what_nothing_explains_is_no_part_of_a_network_without_prefix_beside_it() -> None:
    one = ours("resnet18")
    both = {**shapes_of(one, "teacher."), **shapes_of(one)}
    assert len(find_named(both, "teacher").left_out["other network"]) == len(one)
    assert len(find_named(both, "").left_out["other network"]) == len(one)
    for name, prefix in (("teacher.neck.weight", "teacher"), ("neck.weight", "")):
        with pytest.raises(ConvertError, match=f"also holds {name}"):
            find_named({**both, name: (1,)}, prefix)


def test_an_optimisers_memory_is_left_out() -> None:
    shapes = shapes_of(ours("resnet18"), "model.module.backbone.")
    beside: Shapes = {
        "optimizer.state.0.exp_avg": (64, 3, 7, 7), "model.module.projector.0.weight": (128, 512), "scaler.scale": (),
        "model.module.backbone.fc.weight": (10, 512), "lr_scheduler.base": (1,), "model.module.predictor.2.bias": (9,),
    }  # fmt: skip
    left_out = find_named({**shapes, **beside}).left_out
    assert {name for names in left_out.values() for name in names} == set(beside)
    assert set(left_out) == {"optimiser", "head"}


@pytest.mark.parametrize(
    "name",
    [
        "decoder.weight",
        "backbone.layer5.0.conv1.weight",
        "backbone.layer4.7.conv1.weight",
        "backbone.conv1.bias",
        "backbone.norm.weight",
        "backbone.layer1.0.conv4.weight",
        "backbone.layer1.0.head.weight",
        "layer1.0.bn1.num_batches_tracked",
        "other.conv1.weight/Momentum",
    ],
)
def test_a_name_that_nothing_explains_is_refused(name: str) -> None:
    with pytest.raises(ConvertError, match=r"also holds .*it is another network"):
        find_named({**shapes_of(ours("resnet50"), "backbone."), name: (64,)})


def test_units_with_a_projection_too_many_are_refused() -> None:
    with pytest.raises(ConvertError, match="also holds resnet/block1/unit02/a/proj/standardized_conv2d/kernel"):
        find_named(
            {**in_tensorflow("bit-r26x1"), "resnet/block1/unit02/a/proj/standardized_conv2d/kernel": (1, 1, 256, 256)}
        )


@pytest.mark.parametrize(
    "lost",
    [
        "resnet/block2/unit01/b/group_norm/beta",
        "resnet/group_norm/gamma",
        "resnet/block1/unit01/c/standardized_conv2d/kernel",
    ],
)
def test_a_tensor_that_is_missing_is_named(lost: str) -> None:
    shapes = in_tensorflow("bit-r50x1")
    del shapes[lost]
    with pytest.raises(ConvertError, match=f"lacks {lost}, which bit-r50x1 has"):
        find_named(shapes)


def test_without_its_last_norm_the_map_ends_before_it() -> None:
    named = find_named(shapes_of(bit_names.in_tensorflow(ours("bit-r50x1", final_norm=False), 50)) | HEAD)
    assert not named.final_norm
    assert len(named.theirs) == 149
    assert find_named(in_tensorflow("bit-r50x1", "") | HEAD).final_norm


def test_shapes_of_another_network_are_refused() -> None:
    shapes = in_tensorflow("bit-r26x1", "")
    for name, shape in (
        ("block3/unit02/b/standardized_conv2d/kernel", (3, 3, 256, 128)),
        ("block3/unit02/b/group_norm/gamma", (128,)),
        ("block3/unit02/b/standardized_conv2d/kernel", (256, 256, 3, 3)),
    ):
        with pytest.raises(ConvertError, match=f"{name} has the shape"):
            find_named({**shapes, name: shape})
    assert find_named({**shapes, "group_norm/beta": (1, 1, 1, 2048)}).final_norm
    with pytest.raises(ConvertError, match=r"conv1\.weight has the shape"):
        find_named({**shapes_of(ours("resnet18")), "conv1.weight": (64,)})
