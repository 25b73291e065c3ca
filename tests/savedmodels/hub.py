"""TensorFlow 1 hub modules: two graphs (tags none and `train`), one signature, tfhub_module.pb, variables by name.

tensorflow_hub itself no longer writes them; this is the form that it wrote (saved_model.pb and variables/ of a
SavedModel, and a file of one message `format: 3`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import bit
import numpy as np
import tensorflow as tf
from bit import CLASSES
from resnet_v1 import Graph, graph
from variants import Variant, is_small

v1 = tf.compat.v1
MODULE = b"\x08\x03"  # ModuleDef {format: FORMAT_V3}


def save(variant: Variant, weights: Mapping[str, np.ndarray], folder: Path) -> None:
    """Write a hub module: the graph of evaluation without a tag, the graph of training under `train`."""
    builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
    for training in (False, True):
        with graph("reference" not in variant.extras), v1.Session() as session:
            images, found = network(variant, training)
            signature = v1.saved_model.signature_def_utils.build_signature_def(
                {"images": v1.saved_model.utils.build_tensor_info(images)},
                {name: v1.saved_model.utils.build_tensor_info(tensor) for name, tensor in found.items()},
            )
            if training:
                builder.add_meta_graph(["train"], {"default": signature})
            else:
                every = v1.global_variables()
                values = {each.initializer.inputs[1]: weights[canonical(each)] for each in every}
                session.run([each.initializer for each in every], values)
                builder.add_meta_graph_and_variables(session, [], {"default": signature})
    builder.save()
    (folder / "tfhub_module.pb").write_bytes(MODULE)


def shapes(variant: Variant) -> dict[str, tuple[int, ...]]:
    """Return the shape of every variable by its canonical name, in the order in which the graph makes them."""
    with graph(resource=True):
        network(variant, training=False)
        return {canonical(each): tuple(each.shape) for each in v1.global_variables()}


def canonical(variable: tf.Variable) -> str:
    """Return the name without the prefix that BiT's variables have here."""
    return variable.op.name.removeprefix("resnet/")


def network(variant: Variant, training: bool) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Return the placeholder and the endpoints by name; `default` is what the module is used for."""
    images = v1.placeholder(tf.float32, [None, variant.size, variant.size, 3], name="images")
    if variant.network == "resnet":
        found = Graph(variant, training)(images)
        found |= {"default": found["final_avg_pool"], "proj_head_input": found["final_avg_pool"]}
        if "head" in variant.extras:
            with v1.variable_scope("head_supervised/linear_layer/dense"):
                kernel = v1.get_variable("kernel", [found["default"].shape[-1], CLASSES])
                found["logits_sup"] = tf.matmul(found["default"], kernel) + v1.get_variable("bias", [CLASSES])
    else:
        found = endpoints(variant, images)
    if "slots" in variant.extras:
        for each in v1.trainable_variables():
            if is_small(each.shape):
                v1.get_variable(f"{each.op.name}/Momentum", each.shape, trainable=False)
    if "step" in variant.extras:
        v1.get_variable("global_step", [], tf.int64, trainable=False)
    return images, found


def endpoints(variant: Variant, images: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return BiT's outputs by the names that a hub module of this program has."""
    known = bit.shapes(variant)

    def read(name: str) -> tf.Tensor:
        with v1.variable_scope("resnet", reuse=v1.AUTO_REUSE):
            return v1.get_variable(name, known[name])

    ours = bit.Forward(variant, read)(images)
    found = {f"block_group{block}": ours[f"block{block}"] for block in range(1, 5)}
    main = ours["embedding" if variant.pooled else "map"]
    return found | {"default": main, "pre_logits": ours["embedding"], "logits_sup": ours["logits"]}
