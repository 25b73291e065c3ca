"""The other side of embed.py: BiT written with TensorFlow's operations, saved as a SavedModel, opened and timed.

Runs in TensorFlow's own environment and needs nothing else. The weights come as an npz file by their names; kernels are
standardised in the graph, in every call, as in the published files. A line `BATCH` on stdin pushes all images through,
BATCH at once, and is answered by the seconds it took; the end of stdin ends the process.
"""

import argparse
import sys
import time

import numpy as np
import tensorflow as tf

UNITS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class BiT(tf.Module):
    """Images (N, H, W, 3) in [0, 1] to embeddings (N, 2048 w)."""

    def __init__(self, weights: dict, depth: int) -> None:
        super().__init__()
        self.depth = depth
        self.own = {name: tf.Variable(layout(value), name=name) for name, value in weights.items()}

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def __call__(self, x):
        x = self.conv(pad(2.0 * x - 1.0, 3), "stem.conv", 2)
        x = tf.nn.max_pool2d(pad(x, 1), 3, 2, "VALID")
        for stage, units in enumerate(UNITS[self.depth]):
            for unit in range(units):
                x = self.unit(x, f"stages.{stage}.blocks.{unit}", 2 if stage and not unit else 1)
        return tf.reduce_mean(self.norm(x, "norm"), [1, 2])

    def unit(self, x, name, stride):
        h = self.norm(x, f"{name}.norm1")
        shortcut = x
        if f"{name}.downsample.conv.weight" in self.own:
            shortcut = self.conv(h, f"{name}.downsample.conv", stride)
        h = self.norm(self.conv(h, f"{name}.conv1", 1), f"{name}.norm2")
        h = self.norm(self.conv(pad(h, 1), f"{name}.conv2", stride), f"{name}.norm3")
        return self.conv(h, f"{name}.conv3", 1) + shortcut

    def conv(self, x, name, stride):
        kernel = self.own[f"{name}.weight"]
        mean, variance = tf.nn.moments(kernel, [0, 1, 2], keepdims=True)
        return tf.nn.conv2d(x, (kernel - mean) / tf.sqrt(variance + 1e-10), stride, "VALID")

    def norm(self, x, name):
        shape = tf.shape(x)
        channels = x.shape[-1]
        groups = tf.reshape(x, [shape[0], shape[1], shape[2], 32, channels // 32])
        mean, variance = tf.nn.moments(groups, [1, 2, 4], keepdims=True)
        groups = (groups - mean) * tf.math.rsqrt(variance + 1e-5)
        x = tf.reshape(groups, shape) * self.own[f"{name}.weight"] + self.own[f"{name}.bias"]
        return tf.nn.relu(tf.ensure_shape(x, [None, None, None, channels]))


def layout(value):
    """Return kernels as TensorFlow has them, (h, w, in, out)."""
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value


def pad(x, width):
    """Return x with a border of zeros."""
    return tf.pad(x, [[0, 0], [width, width], [width, width], [0, 0]])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", help="npz file")
    parser.add_argument("images", help="npy file, (N, S, S, 3) uint8")
    parser.add_argument("embeddings", help="npy file to write")
    parser.add_argument("saved_model", help="folder to write")
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    with np.load(options.weights, allow_pickle=False) as file:
        weights = {name: file[name] for name in file.files}
    tf.saved_model.save(BiT(weights, options.depth), options.saved_model)
    network = tf.saved_model.load(options.saved_model)
    images = np.load(options.images, allow_pickle=False)

    def encode(batch):
        parts = [images[start : start + batch] for start in range(0, len(images), batch)]
        return np.concatenate([network(tf.cast(part, tf.float32) / 255.0).numpy() for part in parts])

    np.save(options.embeddings, encode(len(images)))
    print(tf.__version__, flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        encode(int(line))
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
