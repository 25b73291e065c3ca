"""The ways in which the parts of BiT come in TensorFlow graphs; each table's functions compute the same.

Images and maps are (N, H, W, C). Source of the network: Big Transfer (arXiv:1912.11370), big_transfer's
bit_tf2/models.py.
"""

from __future__ import annotations

import keras
import tensorflow as tf
import tf_keras

GROUPS = 32

SCALINGS = {
    "none": lambda x: x,
    "2x-1": lambda x: 2.0 * x - 1.0,
    "x*2-1": lambda x: x * 2.0 - 1.0,
    "(x-0.5)/0.5": lambda x: (x - 0.5) / 0.5,
    "(x-0.5)*2": lambda x: (x - 0.5) * 2.0,
    "x/127.5-1": lambda x: x / 127.5 - 1.0,
}
SCALE_AND_SHIFT = {"none": (1.0, 0.0), "x/127.5-1": (1 / 127.5, -1.0)}  # all others: 2, -1


def pool_mean(x):
    """Return the mean over height and width, (N, C)."""
    return tf.reduce_mean(x, [1, 2])


def pool_mean_keepdims(x):
    """Return it as (N, 1, 1, C)."""
    return tf.reduce_mean(x, axis=[-3, -2], keepdims=True)


def pool_average(x):
    """Return it by an average pool over the whole map (fixed sizes only), (N, C)."""
    return tf.squeeze(tf.nn.avg_pool2d(x, x.shape[1:3], 1, "VALID"), [1, 2])


def pool_keras(x):
    """Return it by the layer of Keras, (N, C)."""
    return tf_keras.layers.GlobalAveragePooling2D()(x)


POOLS = {"mean": pool_mean, "mean-keepdims": pool_mean_keepdims, "avg-pool": pool_average, "keras": pool_keras}


def norm_moments(x, gamma, beta, eps, groups=GROUPS):
    """Group norm by tf.nn.moments over (N, H, W, groups, C / groups)."""
    shape = tf.shape(x)
    channels = x.shape[-1]
    parts = tf.reshape(x, tf.stack([shape[0], shape[1], shape[2], groups, channels // groups]))
    mean, variance = tf.nn.moments(parts, [1, 2, 4], keepdims=True)
    parts = (parts - mean) * tf.math.rsqrt(variance + eps)
    return tf.reshape(parts, shape) * gamma + beta


def norm_squares(x, gamma, beta, eps, groups=GROUPS):
    """Group norm with the mean of squared differences written out, over (N, H W, groups, C / groups)."""
    channels = x.shape[-1]
    shape = tf.shape(x)
    parts = tf.reshape(x, [shape[0], -1, groups, channels // groups])
    mean = tf.reduce_mean(parts, axis=[1, 3], keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(parts, mean), axis=[1, 3], keepdims=True)
    parts = (parts - mean) / tf.sqrt(variance + eps)
    parts = parts * tf.reshape(gamma, [1, 1, groups, channels // groups])
    parts = parts + tf.reshape(beta, [1, 1, groups, channels // groups])
    return tf.reshape(parts, shape)


def norm_squares_of_x(x, gamma, beta, eps, groups=GROUPS):
    """Group norm by the mean of (x - mean)², tf.square and tf.pow, gamma folded into the factor."""
    channels = x.shape[-1]
    shape = tf.shape(x)
    parts = tf.reshape(x, [shape[0], shape[1] * shape[2], groups, channels // groups])
    centred = parts - tf.reduce_mean(parts, axis=[1, 3], keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), axis=[1, 3], keepdims=True)
    factor = tf.pow(variance + eps, -0.5) * tf.reshape(gamma, [groups, -1])
    return tf.reshape(centred * factor + tf.reshape(beta, [groups, -1]), shape)


def norm_batch_normalization(x, gamma, beta, eps, groups=GROUPS):
    """Group norm by tf.nn.moments and tf.nn.batch_normalization."""
    channels = x.shape[-1]
    shape = tf.shape(x)
    parts = tf.reshape(x, tf.concat([shape[:3], [groups, channels // groups]], 0))
    mean, variance = tf.nn.moments(parts, [1, 2, 4], keepdims=True)
    wide = [1, 1, 1, groups, channels // groups]
    parts = tf.nn.batch_normalization(parts, mean, variance, tf.reshape(beta, wide), tf.reshape(gamma, wide), eps)
    return tf.reshape(parts, shape)


def norm_fused(x, gamma, beta, eps, groups=GROUPS):
    """Group norm by a fused batch norm in training mode: one channel for each group of each image."""
    channels = x.shape[-1]
    shape = tf.shape(x)
    pixels = shape[1] * shape[2]
    parts = tf.transpose(tf.reshape(x, [shape[0], pixels, groups, channels // groups]), [1, 3, 0, 2])
    flat = tf.reshape(parts, [1, pixels * (channels // groups), 1, shape[0] * groups])
    ones, zeros = tf.ones([shape[0] * groups]), tf.zeros([shape[0] * groups])
    flat = tf.raw_ops.FusedBatchNormV3(
        x=flat, scale=ones, offset=zeros, mean=[], variance=[], epsilon=eps, is_training=True
    ).y
    parts = tf.reshape(flat, [pixels, channels // groups, shape[0], groups])
    return tf.reshape(tf.transpose(parts, [2, 0, 3, 1]), shape) * gamma + beta


def norm_fused_compat(x, gamma, beta, eps, groups=GROUPS):
    """The same by tf.compat.v1.nn.fused_batch_norm in NCHW, (1, N groups, H W, C / groups)."""
    channels = x.shape[-1]
    shape = tf.shape(x)
    pixels = shape[1] * shape[2]
    parts = tf.transpose(tf.reshape(x, [shape[0], pixels, groups, channels // groups]), [0, 2, 1, 3])
    flat = tf.reshape(parts, [1, shape[0] * groups, pixels, channels // groups])
    flat = tf.compat.v1.nn.fused_batch_norm(
        flat, tf.fill([shape[0] * groups], 1.0), tf.fill([shape[0] * groups], 0.0), epsilon=eps, data_format="NCHW"
    )[0]
    parts = tf.reshape(flat, [shape[0], groups, pixels, channels // groups])
    return tf.reshape(tf.transpose(parts, [0, 2, 1, 3]), shape) * gamma + beta


def norm_tf_keras(x, gamma, beta, eps, groups=GROUPS):
    """Group norm by tf_keras's layer, which reads our variables."""
    layer = tf_keras.layers.GroupNormalization(groups=groups, epsilon=eps)
    layer.built = True
    layer.gamma, layer.beta = gamma, beta
    return layer.call(x)


def norm_keras(x, gamma, beta, eps, groups=GROUPS):
    """Group norm by Keras 3's layer, which reads our variables."""
    layer = keras.layers.GroupNormalization(groups=groups, epsilon=eps)
    layer.axis = -1
    layer.built = True
    object.__setattr__(layer, "gamma", gamma)
    object.__setattr__(layer, "beta", beta)
    return layer.call(x)


GROUP_NORMS = {
    "moments": norm_moments,
    "squares": norm_squares,
    "squares-of-x": norm_squares_of_x,
    "batch-normalization": norm_batch_normalization,
    "fused": norm_fused,
    "fused-compat": norm_fused_compat,
    "tf-keras": norm_tf_keras,
    "keras": norm_keras,
}


def kernel_moments(kernel, eps):
    """Weight standardisation by tf.nn.moments."""
    mean, variance = tf.nn.moments(kernel, [0, 1, 2], keepdims=True)
    return (kernel - mean) / tf.sqrt(variance + eps)


def kernel_squares(kernel, eps):
    """By the mean, the difference and its square."""
    kernel = kernel - tf.reduce_mean(kernel, axis=[0, 1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.square(kernel), axis=[0, 1, 2], keepdims=True)
    return kernel * tf.math.rsqrt(variance + eps)


def kernel_flat(kernel, eps):
    """By (h w in, out), squared differences."""
    flat = tf.reshape(kernel, [-1, kernel.shape[-1]])
    mean = tf.reduce_mean(flat, 0)
    variance = tf.reduce_mean(tf.math.squared_difference(flat, mean), 0)
    return tf.reshape((flat - mean) / (variance + eps) ** 0.5, kernel.shape)


def kernel_fused(kernel, eps):
    """By a fused batch norm in training mode over (1, h w in, 1, out)."""
    channels = kernel.shape[-1]
    flat = tf.reshape(kernel, [1, -1, 1, channels])
    flat = tf.raw_ops.FusedBatchNormV3(
        x=flat, scale=tf.ones([channels]), offset=tf.zeros([channels]), mean=[], variance=[], epsilon=eps
    ).y
    return tf.reshape(flat, kernel.shape)


KERNEL_NORMS = {
    "moments": kernel_moments,
    "squares": kernel_squares,
    "flat": kernel_flat,
    "fused": kernel_fused,
    "ready": lambda kernel, eps: tf.convert_to_tensor(kernel),
}


def pad_plain(x, width):
    """Zeros by tf.pad."""
    return tf.pad(x, [[0, 0], [width, width], [width, width], [0, 0]])


def pad_v2(x, width):
    """Zeros by PadV2, the value a tensor."""
    return tf.raw_ops.PadV2(input=x, paddings=[[0, 0], [width, width], [width, width], [0, 0]], constant_values=0.0)


def pad_layer(x, width):
    """Zeros by the layer of Keras."""
    return tf_keras.layers.ZeroPadding2D(width)(x)


PADS = {"pad": pad_plain, "pad-v2": pad_v2, "layer": pad_layer, "explicit": pad_plain, "same": pad_plain}


def conv(x, kernel, stride, border, padding):
    """Convolution with `border` zeros around, put there as `padding` says."""
    if border == 0:
        return tf.nn.conv2d(x, kernel, stride, "VALID")
    if padding == "explicit":
        return tf.nn.conv2d(x, kernel, stride, [[0, 0], [border, border], [border, border], [0, 0]])
    if padding == "same" and stride == 1:
        return tf.nn.conv2d(x, kernel, 1, "SAME")
    return tf.nn.conv2d(PADS[padding](x, border), kernel, stride, "VALID")
