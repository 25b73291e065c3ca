"""Every SavedModel that make.py can write, and how each is written. Imports nothing of TensorFlow."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One SavedModel.

    Attributes:
        name: Of the fixture.
        seed: Of its weights and images.
        network: `bit`, `resnet` (ResNet-v1) or `vgg` (of no family that the converter knows).
        depth: 26, 50, 152 (BiT); 18, 50 (ResNet-v1).
        width: Multiplies all channels.
        names: What variables are called: `hub` (`module/resnet/root_block/...`), `bare` (`root_block/...`), `object`
            (in a list, in a random order, names that say nothing), `tf1` (`base_model/conv2d_1/kernel`).
        scaling: How the image is scaled inside, see forms.SCALINGS.
        map: Of what the output is: `before-norm` or `after-norm`.
        pooled: Which operation pools, see forms.POOLS; None: the output is the map.
        size: The fixed side of images, in pixels; None: free.
        norm: How the group norm is written, see forms.GROUP_NORMS; in ResNet-v1 `layers` or `fused`.
        kernel_norm: How the weight standardisation is written, see forms.KERNEL_NORMS; `ready`: kernels are stored
            standardised and the graph has none.
        padding: How zeros are put around: see forms.PADS.
        output: `tensor`, `one` (a dictionary of one key) or `many` (blocks, logits of a head, the map, the embedding).
        call: `plain` (one positional argument), `trainable` (a second one, two traces, True first) or `tf1`.
        nested: Every unit is a tf.function of its own.
        read_once: Every variable is read once a call, not wherever it is used.
        signature: There is a serving signature.
        extras: What else lies about: `slots` (of momentum), `averages` (both of the small variables; of all with
            `all`), `unused`, `head`, `step`, `final-norm`; `reference`: variables of TensorFlow 1's older kind.
        averaged: The graph reads the moving averages of the weights, not the weights.
        resize: The graph resizes images to this side first (bilinear, half-pixel centres).
        dtype: Of the images that go in; uint8 is divided by 255 inside.
        constants: Weights are constants of the graph, there are no variables.
        channels_first: Convolutions run in NCHW, between two transposes; TensorFlow cannot run it on every CPU.
        cifar: ResNet-v1's stem for small images.
        norm_eps: Under the root of the norms.
        kernel_eps: Under the root of the weight standardisation.
        fault: Why it has to be refused, see FAULTS; None: it is a good one.
        stored: Whether it is kept beside the tests; else only make.py can write it.
        every: Each how many channels stored outputs have.
    """

    name: str
    seed: int
    network: str = "bit"
    depth: int = 26
    width: int = 1
    names: str = "bare"
    scaling: str = "none"
    map: str = "before-norm"
    pooled: str | None = None
    size: int | None = None
    norm: str = "moments"
    kernel_norm: str = "moments"
    padding: str = "pad"
    output: str = "tensor"
    call: str = "plain"
    nested: bool = False
    read_once: bool = False
    signature: bool = False
    extras: tuple[str, ...] = ()
    averaged: bool = False
    resize: int | None = None
    dtype: str = "float32"
    constants: bool = False
    channels_first: bool = False
    cifar: bool = False
    norm_eps: float = 1e-5
    kernel_eps: float = 1e-10
    fault: str | None = None
    stored: bool = True
    every: int = 31


FAULTS = {
    "erf": "an operation that BiT does not have, after the stem",
    "hue": "an operation that BiT does not have, on the image",
    "squeeze-excite": "every unit has a squeeze-and-excite gate",
    "no-final-relu": "the last norm has no ReLU",
    "pool-same": "the stem's pool is SAME: its border never wins, where BiT's zeros do",
    "stride-first": "the stride is on the first 1x1 convolution, not on the 3x3",
    "groups-16": "norms have 16 groups",
    "scores": "the output is the softmax of a head",
    "vgg": "a network of 3x3 convolutions and pools",
}


def is_small(shape: Sequence[int]) -> bool:
    """Return whether a variable is small enough to have a slot, or an average, in every variant that has some."""
    return math.prod(int(side) for side in shape) < 2**15


def _base(names: str, scaling: str, map_: str, size: int | None, **how: Any) -> Variant:
    """Return one of the 36 combinations; `how` spreads the ways of writing over them."""
    form = "scaled" if scaling != "none" else "raw"
    what = "pooled" if how.get("pooled") else map_.removesuffix("-norm")
    name = f"r26x1-{names}-{form}-{what}-{size or 'free'}"
    seed = zlib.crc32(name.encode()) % 100_000
    return Variant(name=name, seed=seed, names=names, scaling=scaling, map=map_, size=size, **how)


BEFORE, AFTER = "before-norm", "after-norm"
BASE = (
    _base("hub", "none", BEFORE, None, signature=True),
    _base("hub", "none", BEFORE, 64, norm="squares", kernel_norm="squares", padding="pad-v2", output="one"),
    _base("hub", "none", AFTER, None, norm="fused", padding="layer", nested=True),
    _base("hub", "none", AFTER, 64, norm="tf-keras", kernel_norm="flat", padding="explicit", output="many",
          extras=("slots",)),
    _base("hub", "none", AFTER, None, pooled="mean-keepdims", norm="batch-normalization", kernel_norm="squares",
          padding="same", extras=("unused",)),
    _base("hub", "none", BEFORE, 64, pooled="avg-pool", norm="keras", kernel_norm="fused", output="one"),
    _base("hub", "2x-1", BEFORE, None, norm="fused-compat", padding="same", output="many", read_once=True),
    _base("hub", "x*2-1", BEFORE, 64, norm="squares-of-x", kernel_norm="ready"),
    _base("hub", "(x-0.5)/0.5", AFTER, None, norm="keras", padding="layer", output="one",
          extras=("averages", "all")),
    _base("hub", "(x-0.5)*2", AFTER, 64, kernel_norm="fused", padding="explicit", signature=True, extras=("step",)),
    _base("hub", "x/127.5-1", AFTER, None, pooled="keras", norm="tf-keras", kernel_norm="squares", output="one",
          averaged=True),
    _base("hub", "2x-1", BEFORE, 64, pooled="mean", norm="squares", kernel_norm="flat", padding="pad-v2", nested=True),
    _base("bare", "none", BEFORE, None, every=1),
    _base("bare", "none", BEFORE, 64, norm="fused", kernel_norm="squares", output="one", nested=True),
    _base("bare", "none", AFTER, None, norm="squares", kernel_norm="ready", padding="same", output="many"),
    _base("bare", "none", AFTER, 64, norm="batch-normalization", padding="pad-v2", read_once=True),
    _base("bare", "none", BEFORE, None, pooled="mean", norm="keras", kernel_norm="flat", extras=("head",)),
    _base("bare", "none", AFTER, 64, pooled="avg-pool", norm="fused-compat", padding="explicit", output="one"),
    _base("bare", "x*2-1", BEFORE, None, norm="tf-keras", padding="layer", signature=True, extras=("slots", "all")),
    _base("bare", "(x-0.5)/0.5", BEFORE, 64, kernel_norm="flat", padding="explicit", output="many",
          extras=("averages",)),
    _base("bare", "(x-0.5)*2", AFTER, None, norm="squares-of-x", kernel_norm="squares", output="one",
          extras=("unused",)),
    _base("bare", "x/127.5-1", AFTER, 64, norm="keras", padding="same"),
    _base("bare", "2x-1", AFTER, None, pooled="mean-keepdims", kernel_norm="fused", padding="pad-v2", nested=True),
    _base("bare", "x*2-1", BEFORE, 64, pooled="keras", norm="squares", output="many"),
    _base("object", "none", BEFORE, None, norm="squares", extras=("slots",)),
    _base("object", "none", BEFORE, 64, norm="tf-keras", kernel_norm="squares", padding="layer", output="one",
          extras=("unused", "final-norm")),
    _base("object", "none", AFTER, None, norm="fused-compat", kernel_norm="flat", padding="explicit", averaged=True),
    _base("object", "none", AFTER, 64, kernel_norm="ready", output="one", extras=("head",)),
    _base("object", "none", AFTER, None, pooled="mean", norm="squares-of-x", kernel_norm="fused", padding="same",
          output="many"),
    _base("object", "none", BEFORE, 64, pooled="mean-keepdims", norm="batch-normalization", nested=True),
    _base("object", "(x-0.5)*2", BEFORE, None, norm="keras", kernel_norm="squares", padding="pad-v2", output="one",
          nested=True),
    _base("object", "x/127.5-1", BEFORE, 64, norm="fused", padding="explicit", extras=("averages",)),
    _base("object", "2x-1", AFTER, None, extras=("slots", "averages", "unused", "head", "step")),
    _base("object", "x*2-1", AFTER, 64, norm="squares", kernel_norm="flat", padding="same", output="many"),
    _base("object", "(x-0.5)/0.5", BEFORE, None, pooled="mean", norm="tf-keras", padding="layer", output="one"),
    _base("object", "2x-1", AFTER, 64, pooled="avg-pool", norm="squares", kernel_norm="squares", output="one"),
)  # fmt: skip

SPECIAL = (
    Variant(name="r26x1-trainable-free", seed=101, names="object", call="trainable", output="many"),
    Variant(name="r26x1-trainable-scaled-64", seed=102, call="trainable", scaling="2x-1", map=AFTER, size=64,
            norm="squares", nested=True, signature=True),
    Variant(name="r26x1-constants-free", seed=103, constants=True, map=AFTER),
    Variant(name="r26x1-resize-free", seed=104, names="hub", resize=64, scaling="2x-1"),
    Variant(name="r26x1-uint8-64", seed=105, dtype="uint8", scaling="2x-1", size=64, map=AFTER, pooled="mean"),
    Variant(name="r26x1-nchw-64", seed=106, names="object", channels_first=True, size=64),
    Variant(name="r26x1-norm-eps-free", seed=107, norm_eps=1e-3, map=AFTER),
    Variant(name="r26x1-kernel-eps-free", seed=108, names="object", kernel_eps=1e-5, norm="keras"),
    Variant(name="r26x1-spare-norm-free", seed=109, names="hub", extras=("final-norm",), scaling="2x-1"),
    Variant(name="tf1-r26x1-free", seed=110, names="tf1", call="tf1", output="many", scaling="2x-1",
            extras=("slots", "step")),
    Variant(name="tf1-r26x1-pooled-64", seed=111, names="tf1", call="tf1", output="many", map=AFTER, pooled="mean",
            size=64, extras=("reference",), norm="fused"),
)  # fmt: skip

_V1: dict[str, Any] = {
    "network": "resnet",
    "names": "tf1",
    "call": "tf1",
    "map": AFTER,
    "pooled": "mean",
    "output": "many",
}
RESNETS = (
    Variant(name="tf1-resnet18-cifar-free", seed=201, depth=18, norm="layers", cifar=True, **_V1),
    Variant(name="tf1-resnet18-fused-64", seed=202, depth=18, norm="fused", size=64,
            extras=("reference", "slots", "step", "head"), **_V1),
    Variant(name="tf1-resnet50-free", seed=203, depth=50, norm="layers", **_V1),
    Variant(name="tf1-resnet50-fused-64", seed=204, depth=50, norm="fused", size=64, extras=("slots",), **_V1),
    Variant(name="tf2-resnet18-trainable-free", seed=205, network="resnet", depth=18, call="trainable", map=AFTER,
            pooled="mean", output="many", extras=("head",)),
)  # fmt: skip

REFUSED = (
    Variant(name="refused-erf", seed=301, fault="erf"),
    Variant(name="refused-hue", seed=302, fault="hue", names="object"),
    Variant(name="refused-squeeze-excite", seed=303, fault="squeeze-excite", names="hub"),
    Variant(name="refused-no-final-relu", seed=304, fault="no-final-relu", map=AFTER),
    Variant(name="refused-pool-same", seed=305, fault="pool-same", names="object"),
    Variant(name="refused-stride-first", seed=306, fault="stride-first"),
    Variant(name="refused-groups-16", seed=307, fault="groups-16", names="object"),
    Variant(name="refused-scores", seed=308, fault="scores", map=AFTER, pooled="mean", scaling="2x-1"),
    Variant(name="refused-vgg", seed=309, fault="vgg", network="vgg"),
)

LARGE = (
    Variant(name="r26x2-object-raw-after-free", seed=401, width=2, names="object", map=AFTER, stored=False),
    Variant(name="r50x1-bare-raw-before-free", seed=402, depth=50, norm="squares", stored=False),
    Variant(name="r50x1-hub-scaled-after-64", seed=403, depth=50, names="hub", scaling="2x-1", map=AFTER, size=64,
            norm="fused", kernel_norm="squares", padding="same", stored=False),
    Variant(name="r50x1-object-raw-before-free", seed=404, depth=50, names="object", norm="keras", output="one",
            extras=("slots",), stored=False),
    Variant(name="r50x1-object-scaled-pooled-free", seed=405, depth=50, names="object", scaling="(x-0.5)/0.5",
            map=AFTER, pooled="mean", kernel_norm="flat", call="trainable", output="many", stored=False),
    Variant(name="r152x2-bare-raw-before-free", seed=406, depth=152, width=2, stored=False),
)  # fmt: skip

VARIANTS = BASE + SPECIAL + RESNETS + REFUSED + LARGE
