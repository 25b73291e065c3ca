"""Writes an encoder as a SavedModel and runs it: `python tensorflow_program.py FOLDER`, by a Python with TensorFlow.

It runs in a process of its own and imports nothing of remedis. FOLDER holds `job.json`, `weights.npz` (arrays `0`, `1`
… in the order of the job's variables) and `images_0.npy` …; it gets `saved_model/`, `map_0.npy` … and `done.json`.

Names and arithmetic: google-research/big_transfer bit_tf2/models.py, google-research/simclr resnet.py. Variables have
those programs' names. Kernels are variables as they are stored, (h, w, in, out), and are standardised in the graph, so
that training feels their scale.
"""

from __future__ import annotations

import json
import os
import sys

# A script's own folder stands first among those that are searched; this one holds onnx.py and timm.py.
_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
sys.path[:] = [place for place in sys.path if os.path.abspath(place or ".") != _HERE]  # noqa: PTH100

from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

GROUPS = 32


class Layers:
    """The layers of both networks on (N, H, W, C), with the variables by name.

    Args:
        variables: By the name in the SavedModel.
        kernel_eps: Added to a kernel's variance; None leaves kernels as they are.
        norm_eps: Added to a norm's variance.
    """

    def __init__(self, variables: dict[str, Any], kernel_eps: float | None, norm_eps: float) -> None:
        self.variables, self.kernel_eps, self.norm_eps = variables, kernel_eps, norm_eps

    def conv(self, x: Any, name: str, stride: int = 1) -> Any:
        """Return the convolution; a border as wide as the kernel reaches is added on all sides alike."""
        kernel = self.kernel(name)
        return tf.nn.conv2d(padded(x, kernel.shape[0] // 2), kernel, stride, "VALID")

    def kernel(self, name: str) -> Any:
        """Return the kernel that is applied."""
        kernel = tf.convert_to_tensor(self.variables[f"{name}/kernel"])
        if self.kernel_eps is None:
            return kernel
        mean, variance = tf.nn.moments(kernel, [0, 1, 2], keepdims=True)
        return (kernel - mean) / tf.sqrt(variance + self.kernel_eps)

    def group_norm_relu(self, x: Any, name: str) -> Any:
        """Return the norm in 32 groups of neighbouring channels, then ReLU."""
        shape, channels = tf.shape(x), int(x.shape[-1])
        grouped = tf.reshape(x, tf.stack([shape[0], shape[1] * shape[2], GROUPS, channels // GROUPS]))
        mean, variance = tf.nn.moments(grouped, [1, 3], keepdims=True)
        normal = (grouped - mean) * tf.math.rsqrt(variance + self.norm_eps)
        normal = tf.reshape(normal, tf.stack([shape[0], shape[1], shape[2], channels]))
        return tf.nn.relu(normal * self.variables[f"{name}/gamma"] + self.variables[f"{name}/beta"])

    def batch_norm(self, x: Any, name: str) -> Any:
        """Return the norm by the running statistics, in training too."""
        gamma, beta, mean, variance = (
            self.variables[f"{name}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, self.norm_eps)


def padded(x: Any, border: int) -> Any:
    """Return x with a border of zeros on all sides of the image."""
    return x if border == 0 else tf.pad(x, [[0, 0], [border, border], [border, border], [0, 0]])


def bit(x: Any, layers: Layers, job: dict[str, Any]) -> Any:
    """Return BiT's map of what the first convolution sees."""
    x = layers.conv(x, "resnet/root_block/standardized_conv2d", 2)
    x = tf.nn.max_pool2d(padded(x, 1), 3, 2, "VALID")  # zeros take part in the maximum
    for block, units in enumerate(job["units"], start=1):
        for unit in range(1, units + 1):
            x = _bit_unit(x, layers, f"resnet/block{block}/unit{unit:02d}", 2 if block > 1 and unit == 1 else 1)
    return layers.group_norm_relu(x, "resnet/group_norm") if job["final_norm"] else x


def _bit_unit(x: Any, layers: Layers, name: str, stride: int) -> Any:
    h = layers.group_norm_relu(x, f"{name}/a/group_norm")
    projects = f"{name}/a/proj/standardized_conv2d/kernel" in layers.variables
    shortcut = layers.conv(h, f"{name}/a/proj/standardized_conv2d", stride) if projects else x
    h = layers.conv(h, f"{name}/a/standardized_conv2d")
    h = layers.conv(layers.group_norm_relu(h, f"{name}/b/group_norm"), f"{name}/b/standardized_conv2d", stride)
    h = layers.conv(layers.group_norm_relu(h, f"{name}/c/group_norm"), f"{name}/c/standardized_conv2d")
    return h + shortcut


class Numbered:
    """Convolutions with batch norms, numbered in the order of their creation as TensorFlow 1 numbers them."""

    def __init__(self, layers: Layers) -> None:
        self.layers, self.count = layers, 0

    def __call__(self, x: Any, stride: int = 1) -> Any:
        """Return the next convolution and its norm."""
        number = f"_{self.count}" if self.count else ""
        self.count += 1
        x = self.layers.conv(x, f"base_model/conv2d{number}", stride)
        return self.layers.batch_norm(x, f"base_model/batch_normalization{number}")


def resnet(x: Any, layers: Layers, job: dict[str, Any]) -> Any:
    """Return the map of SimCLR's ResNet-v1; in a stage's first block the projection is created first."""
    convolved = Numbered(layers)
    x = tf.nn.relu(convolved(x, 1 if job["small_stem"] else 2))
    if not job["small_stem"]:  # after ReLU a border of zeros is one of -inf
        x = (
            tf.nn.max_pool2d(x, 3, 2, "SAME")
            if job["padding"] == "tf"
            else tf.nn.max_pool2d(padded(x, 1), 3, 2, "VALID")
        )
    for group, blocks in enumerate(job["units"]):
        for block in range(blocks):
            stride = 2 if group > 0 and block == 0 else 1
            shortcut = convolved(x, stride) if block == 0 else x
            h = tf.nn.relu(convolved(x, 1 if job["bottleneck"] else stride))
            if job["bottleneck"]:
                h = tf.nn.relu(convolved(h, stride))
            x = tf.nn.relu(convolved(h) + shortcut)
    return x


def made(job: dict[str, Any], arrays: Any) -> Any:
    """Return the object to save: callable, with the lists that tensorflow_hub's KerasLayer looks for."""
    variables = {
        name: tf.Variable(arrays[str(number)], trainable=trainable, name=name)
        for number, (name, trainable) in enumerate(job["variables"])
    }
    layers = Layers(variables, job["kernel_eps"], job["norm_eps"])
    network = {"bit": bit, "resnet": resnet}[job["family"]]

    def call(images: Any) -> Any:
        if job["resize"]:
            images = tf.image.resize(images, [job["resize"], job["resize"]])
        scaled = (job["scale"], job["shift"]) != (1.0, 0.0)
        return network(images * job["scale"] + job["shift"] if scaled else images, layers, job)

    free = tf.TensorSpec([None, None, None, job["channels"]], tf.float32, name="images")
    model = tf.train.Checkpoint()
    model.__call__ = tf.function(call, input_signature=[free])
    model.variables = list(variables.values())
    model.trainable_variables = [variable for variable in variables.values() if variable.trainable]
    model.regularization_losses = []
    return model


def main(folder: Path) -> None:
    """Write the SavedModel, open it as its users do, and keep what it makes of the images."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
        model = made(job, arrays)
    place = str(folder / "saved_model")
    tf.saved_model.save(model, place, signatures=model.__call__)
    del model
    _without_random_id(folder / "saved_model" / "fingerprint.pb")
    opened = tf.saved_model.load(place)
    for number in range(job["batches"]):
        images = np.load(folder / f"images_{number}.npy", allow_pickle=False)
        np.save(folder / f"map_{number}.npy", opened(images).numpy())
    facts = {"tensorflow": tf.__version__, "trainable": len(opened.trainable_variables)}
    (folder / "done.json").write_text(json.dumps(facts), encoding="utf-8")


def _without_random_id(path: Path) -> None:
    """Take the random identifier out of the fingerprint, so that the same weights give the same bytes."""
    from tensorflow.core.protobuf import fingerprint_pb2

    if path.exists():
        fingerprint = fingerprint_pb2.FingerprintDef.FromString(path.read_bytes())
        fingerprint.uuid = ""
        path.write_bytes(fingerprint.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
