"""SavedModels as TensorFlow 2 writes them: an object with a `__call__`, not a Keras model.

That is the published files' style: saved_model.pb, fingerprint.pb, variables/, nothing of Keras.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import bit
import hub
import numpy as np
import tensorflow as tf
import vgg
from resnet_v1 import Reading
from variants import Variant, is_small

HUB_PREFIX = "module/resnet/"
UNUSED = {
    "unused/standardized_conv2d/kernel": (1, 1, 64, 256),
    "unused/group_norm/gamma": (64,),
    "unused/group_norm/beta": (64,),
    "unused/dense/kernel": (2048, 7),
}


def save(variant: Variant, weights: Mapping[str, np.ndarray], folder: Path) -> None:
    """Write the SavedModel of a variant.

    Args:
        variant: Which one.
        weights: Canonical name to value, those that only lie about included.
        folder: Where to.
    """
    if variant.constants:
        held = {name: tf.constant(value) for name, value in weights.items()}
        tracked: dict[str, tf.Variable] = {}
    else:
        held = tracked = {name: variable(variant, name, value) for name, value in weights.items()}
    module = holder(variant, tracked)
    call = traced(variant, lambda name: held[used_name(variant, name)])
    module.__call__ = call
    concrete = None
    if variant.call == "trainable":
        concrete = [call.get_concrete_function(spec(variant), trainable=flag) for flag in (True, False)][1]
    elif variant.signature:
        concrete = call.get_concrete_function()
    signatures = {"serving_default": concrete} if variant.signature else None
    tf.saved_model.save(module, str(folder), signatures=signatures)


SLOT, AVERAGE = "/Momentum", "/ExponentialMovingAverage"


def weights_of(variant: Variant) -> dict[str, tuple[int, ...]]:
    """Return the shape of every variable of the object graph by canonical name, those that lie about included."""
    if variant.network == "vgg":
        return vgg.shapes()
    needed = bit.shapes(variant) if variant.network == "bit" else hub.shapes(variant)
    every = "all" in variant.extras
    beside = {name: shape for name, shape in needed.items() if every or is_small(shape)}
    found = {name + AVERAGE: shape for name, shape in needed.items()} | beside if variant.averaged else dict(needed)
    if "slots" in variant.extras:
        found |= {name + SLOT: shape for name, shape in beside.items()}
    if "averages" in variant.extras:
        found |= {name + AVERAGE: shape for name, shape in beside.items()}
    if "unused" in variant.extras:
        found |= UNUSED
    if "step" in variant.extras:
        found["global_step"] = ()
    return found


def used_name(variant: Variant, name: str) -> str:
    """Return the canonical name of the variable that the graph reads for a weight."""
    return name + AVERAGE if variant.averaged else name


def variable(variant: Variant, name: str, value: np.ndarray) -> tf.Variable:
    """Return a variable under the name that the variant shows."""
    if variant.names == "hub":
        shown = HUB_PREFIX + name
    elif variant.names == "object":
        shown = f"v_{zlib.crc32(name.encode()) % 1000}"
    else:
        shown = "/".join(path(name))
    return tf.Variable(value, name=shown, trainable=name.rsplit("/", 1)[-1] in ("kernel", "gamma", "beta", "bias"))


def holder(variant: Variant, variables: Mapping[str, tf.Variable]) -> tf.Module:
    """Return the object that holds the variables: in two lists, in a tree by name, or in one shuffled list."""
    if variant.names == "hub":
        module = tf.__internal__.tracking.AutoTrackable()
        module.variables = list(variables.values())
        module.trainable_variables = [each for each in variables.values() if each.trainable]
        return module
    module = tf.Module()
    if variant.names == "object":
        order = sorted(variables, key=lambda name: zlib.crc32(f"{variant.seed} {name}".encode()))
        module.state = [variables[name] for name in order]
        return module
    for name, each in variables.items():
        place = module
        *parents, last = path(name)
        for part in parents:
            if not hasattr(place, part):
                setattr(place, part, tf.Module())
            place = getattr(place, part)
        setattr(place, last, each)
    return module


def path(name: str) -> list[str]:
    """Return the attributes that lead to a variable; slots and averages have trees of their own."""
    parts = name.split("/")
    if parts[0] == "base_model":  # SimCLR's program of TensorFlow 2 calls it so
        parts = ["resnet", parts[1].replace("batch_normalization", "sync_batch_normalization"), *parts[2:]]
    if name.endswith((SLOT, AVERAGE)):
        return [{SLOT: "optimizer", AVERAGE: "averages"}["/" + parts[-1]], *parts[:-1]]
    return parts


def spec(variant: Variant) -> tf.TensorSpec:
    """Return what goes in: (N, H, W, 3)."""
    return tf.TensorSpec([None, variant.size, variant.size, 3], variant.dtype, name="inputs")


def traced(variant: Variant, read: Callable[[str], tf.Tensor]):
    """Return the function that `__call__` is."""

    def network(images: tf.Tensor, training: bool = False) -> object:
        seen: dict[str, tf.Tensor] = {}

        def once(name: str) -> tf.Tensor:
            if name not in seen:
                seen[name] = tf.identity(read(name))
            return seen[name]

        own = once if variant.read_once else read
        if variant.network == "resnet":
            return residual(variant, Reading(variant, training, own)(images), own)
        if variant.network == "vgg":
            return vgg.forward(images, own)
        forward = bit.ChannelsFirst if variant.channels_first else bit.Forward
        return answer(variant, forward(variant, own)(images))

    if variant.call == "trainable":

        def call(inputs, trainable):
            if trainable and variant.network == "bit":  # what only training has
                inputs = inputs + tf.random.normal(tf.shape(inputs), stddev=0.01)
            return network(inputs, trainable)

        return tf.function(call, autograph=False)

    def __call__(images):
        return network(images)

    return tf.function(__call__, input_signature=[spec(variant)], autograph=False)


def output_key(variant: Variant) -> str | None:
    """Return the key under which the map, or the pooled embedding, is given; None where the output is a tensor."""
    if variant.output == "tensor":
        return None
    if variant.output == "one":
        return "features"
    return "final_avg_pool" if variant.pooled else "block_group4" if variant.map == "before-norm" else "pre_logits_2d"


def answer(variant: Variant, found: Mapping[str, tf.Tensor]) -> object:
    """Return the network's output in the form that the variant gives it."""
    main = found["embedding" if variant.pooled else "map"]
    if variant.fault == "scores":
        main = found["scores"]
    if variant.output == "tensor":
        return main
    if variant.output == "one":
        return {output_key(variant): main}
    many = {f"block_group{block}": found[f"block{block}"] for block in range(1, 5)}
    many |= {"initial_max_pool": found["stem"], "logits_sup": found["logits"], "final_avg_pool": found["embedding"]}
    if variant.map == "after-norm":
        many["pre_logits_2d"] = found["map"]
    return many


def residual(variant: Variant, found: dict[str, tf.Tensor], read: Callable[[str], tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return a ResNet-v1's endpoints by the names of SimCLR's program of TensorFlow 2."""
    if "head" in variant.extras:
        kernel, bias = (read(f"head_supervised/linear_layer/dense/{part}") for part in ("kernel", "bias"))
        found["logits_sup"] = tf.matmul(found["final_avg_pool"], kernel) + bias
    return found | {"proj_head_input": found["final_avg_pool"]}
