"""BiT's ResNet-v2 in TensorFlow, in as many ways of writing as a Variant can ask for.

Source: Big Transfer (arXiv:1912.11370), big_transfer's bit_tf2/models.py.
"""

from __future__ import annotations

from collections.abc import Callable

import forms
import tensorflow as tf
from variants import Variant

UNITS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
CLASSES = 5  # of a head that lies about or gives logits
Read = Callable[[str], tf.Tensor]


def units(variant: Variant):
    """Yield (name, channels in, middle channels, stride) of every unit."""
    channels = 64 * variant.width
    for block, count in enumerate(UNITS[variant.depth], start=1):
        middle = 64 * variant.width * 2 ** (block - 1)
        for unit in range(1, count + 1):
            yield f"block{block}/unit{unit:02d}", channels, middle, 2 if block > 1 and unit == 1 else 1
            channels = 4 * middle


def shapes(variant: Variant) -> dict[str, tuple[int, ...]]:
    """Return the shape of every variable that the network needs, by canonical name, in the order of use."""
    found: dict[str, tuple[int, ...]] = {"root_block/standardized_conv2d/kernel": (7, 7, 3, 64 * variant.width)}

    def norm(name: str, channels: int) -> None:
        found[f"{name}/gamma"] = found[f"{name}/beta"] = (channels,)

    for name, channels, middle, stride in units(variant):
        norm(f"{name}/a/group_norm", channels)
        if stride != 1 or channels != 4 * middle:
            found[f"{name}/a/proj/standardized_conv2d/kernel"] = (1, 1, channels, 4 * middle)
        found[f"{name}/a/standardized_conv2d/kernel"] = (1, 1, channels, middle)
        norm(f"{name}/b/group_norm", middle)
        found[f"{name}/b/standardized_conv2d/kernel"] = (3, 3, middle, middle)
        norm(f"{name}/c/group_norm", middle)
        found[f"{name}/c/standardized_conv2d/kernel"] = (1, 1, middle, 4 * middle)
        if variant.fault == "squeeze-excite":
            found[f"{name}/se/reduce/kernel"] = (4 * middle, middle // 4)
            found[f"{name}/se/expand/kernel"] = (middle // 4, 4 * middle)
    out = 2048 * variant.width
    if variant.map == "after-norm" or "final-norm" in variant.extras:
        norm("group_norm", out)
    if variant.output == "many" or "head" in variant.extras or variant.fault == "scores":
        found["head/dense/kernel"], found["head/dense/bias"] = (out, CLASSES), (CLASSES,)
    return found


class Forward:
    """Images (N, H, W, 3) to a dictionary of named tensors.

    Args:
        variant: How it is written.
        read: Gives a variable by its canonical name.
    """

    def __init__(self, variant: Variant, read: Read) -> None:
        self.v = variant
        self.read = read

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        v, x = self.v, images
        if v.dtype == "uint8":
            x = tf.cast(x, tf.float32) / 255.0
        if v.resize:
            x = tf.image.resize(x, [v.resize, v.resize])
        if v.fault == "hue":
            x = tf.image.adjust_hue(x, 0.1)
        x = forms.SCALINGS[v.scaling](x)
        found = {}
        x = found["stem"] = self.stem(x)
        for name, channels, middle, stride in units(v):
            project = stride != 1 or channels != 4 * middle
            x = self.nest(name, stride, project)(x)
            found[name.split("/")[0]] = x
        if v.map == "after-norm":
            x = self.norm(x, "group_norm", active=v.fault != "no-final-relu")
        x = found["map"] = self.finished(x)
        found["embedding"] = forms.POOLS[v.pooled or "mean"](x)
        if "head/dense/kernel" in shapes(v):
            flat = tf.reshape(found["embedding"], [-1, 2048 * v.width])
            found["logits"] = tf.matmul(flat, self.read("head/dense/kernel")) + self.read("head/dense/bias")
            found["scores"] = tf.nn.softmax(found["logits"])
        return found

    def finished(self, x: tf.Tensor) -> tf.Tensor:
        """Return the map as (N, H, W, C)."""
        return x

    def stem(self, x: tf.Tensor) -> tf.Tensor:
        """7x7 of stride 2, then 3x3 max of stride 2 with a border of zeros that take part."""
        x = self.conv(x, "root_block", 2, 3)
        if self.v.fault == "erf":
            x = tf.math.erf(x)
        if self.v.fault == "pool-same":
            return tf.nn.max_pool2d(x, 3, 2, "SAME")
        return tf.nn.max_pool2d(forms.PADS[self.v.padding](x, 1), 3, 2, "VALID")

    def nest(self, name: str, stride: int, project: bool) -> Callable[[tf.Tensor], tf.Tensor]:
        """Return the unit as a function; where the variant nests, one of its own in the graph."""

        def unit(x: tf.Tensor) -> tf.Tensor:
            return self.unit(x, name, stride, project)

        return tf.function(unit, autograph=False) if self.v.nested else unit

    def unit(self, x: tf.Tensor, name: str, stride: int, project: bool) -> tf.Tensor:
        """Pre-activation bottleneck; the projection starts from the normalised input."""
        first, second = (stride, 1) if self.v.fault == "stride-first" else (1, stride)
        h = self.norm(x, f"{name}/a/group_norm")
        shortcut = self.conv(h, f"{name}/a/proj", stride) if project else x
        h = self.conv(h, f"{name}/a", first)
        h = self.conv(self.norm(h, f"{name}/b/group_norm"), f"{name}/b", second, 1)
        h = self.conv(self.norm(h, f"{name}/c/group_norm"), f"{name}/c")
        if self.v.fault == "squeeze-excite":
            squeezed = tf.nn.relu(tf.matmul(tf.reduce_mean(h, [1, 2]), self.read(f"{name}/se/reduce/kernel")))
            gate = tf.sigmoid(tf.matmul(squeezed, self.read(f"{name}/se/expand/kernel")))
            h = h * gate[:, None, None, :]
        return h + shortcut

    def conv(self, x: tf.Tensor, name: str, stride: int = 1, border: int = 0) -> tf.Tensor:
        """Convolution with the standardised kernel."""
        kernel = self.read(f"{name}/standardized_conv2d/kernel")
        kernel = forms.KERNEL_NORMS[self.v.kernel_norm](kernel, self.v.kernel_eps)
        return forms.conv(x, kernel, stride, border, self.v.padding)

    def norm(self, x: tf.Tensor, name: str, active: bool = True) -> tf.Tensor:
        """Group norm and ReLU; the number of channels is known however the shape was lost."""
        gamma, beta = self.read(f"{name}/gamma"), self.read(f"{name}/beta")
        groups = 16 if self.v.fault == "groups-16" else forms.GROUPS
        y = forms.GROUP_NORMS[self.v.norm](x, gamma, beta, self.v.norm_eps, groups)
        y.set_shape(x.shape)
        return tf.nn.relu(y) if active else y


class ChannelsFirst(Forward):
    """The same between two transposes, (N, C, H, W) in the middle."""

    def stem(self, x: tf.Tensor) -> tf.Tensor:
        """See `Forward.stem`."""
        x = self.conv(tf.transpose(x, [0, 3, 1, 2]), "root_block", 2, 3)
        return tf.nn.max_pool2d(self.border(x, 1), 3, 2, "VALID", data_format="NCHW")

    def finished(self, x: tf.Tensor) -> tf.Tensor:
        """Return x as (N, H, W, C)."""
        return tf.transpose(x, [0, 2, 3, 1])

    def border(self, x: tf.Tensor, width: int) -> tf.Tensor:
        """Zeros around."""
        return tf.pad(x, [[0, 0], [0, 0], [width, width], [width, width]])

    def conv(self, x: tf.Tensor, name: str, stride: int = 1, border: int = 0) -> tf.Tensor:
        """See `Forward.conv`."""
        kernel = self.read(f"{name}/standardized_conv2d/kernel")
        kernel = forms.KERNEL_NORMS[self.v.kernel_norm](kernel, self.v.kernel_eps)
        return tf.nn.conv2d(self.border(x, border) if border else x, kernel, stride, "VALID", data_format="NCHW")

    def norm(self, x: tf.Tensor, name: str, active: bool = True) -> tf.Tensor:
        """See `Forward.norm`; groups are neighbours in (N, 32, C / 32, H, W)."""
        channels, height, width = x.shape[1:]
        parts = tf.reshape(x, [-1, forms.GROUPS, channels // forms.GROUPS, height, width])
        mean, variance = tf.nn.moments(parts, [2, 3, 4], keepdims=True)
        y = tf.reshape((parts - mean) * tf.math.rsqrt(variance + self.v.norm_eps), [-1, channels, height, width])
        gamma, beta = (tf.reshape(self.read(f"{name}/{part}"), [1, -1, 1, 1]) for part in ("gamma", "beta"))
        return tf.nn.relu(y * gamma + beta)
