"""Have TensorFlow compute what the tests of the augmentations hold ours against, and store it.

Usage, in an environment with TensorFlow (`make tf-env` makes one):

    python tests/train/make_augmentation_figures.py [FILE]

Writes FILE, `augmentation_figures.npz` beside this file where none is given. Inputs are not stored: `pictures` makes
them anew from a seed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np

FACTORS = (0.0, 0.3, 1.0, 1.7)
SHIFTS = (-0.2, -0.05, 0.0, 0.13, 0.5)
SIZES = ((256, 256), (256, 512), (40, 64), (300, 100))  # height, width
DRAWS = 2000
CROP, VIEW = (1, 2, 6, 5), 9  # top, left, height, width; the side it is resized to


def pictures() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return (4, 8, 8, 3): colours, colours a little out of range, nearly grey, and with many equal channels."""
    draw = np.random.default_rng(20240501)
    colours = draw.random((4, 8, 8, 3))
    colours[1] = colours[1] * 1.2 - 0.1
    colours[2] = 0.5 + 0.01 * (colours[2] - 0.5)
    colours[3] = np.round(colours[3] * 2) / 2
    return colours.astype(np.float32)


def crops(height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Return (DRAWS, 4) top, left, height, width of crops as SimCLR's data_util asks for them."""
    import tensorflow as tf

    @tf.function
    def draw(number: tf.Tensor) -> tf.Tensor:
        begin, extent, box = tf.image.sample_distorted_bounding_box(
            [height, width, 3],
            tf.constant([0.0, 0.0, 1.0, 1.0], shape=[1, 1, 4]),
            min_object_covered=0.1,
            aspect_ratio_range=(3 / 4, 4 / 3),
            area_range=(0.08, 1.0),
            max_attempts=100,
            use_image_if_no_bounding_boxes=True,
            seed=7,
        )
        del number, box
        return tf.concat([begin[:2], extent[:2]], 0)

    return tf.map_fn(draw, tf.range(DRAWS)).numpy().astype(np.uint16)


def main() -> None:
    import tensorflow as tf

    tf.random.set_seed(20240502)
    x = tf.constant(pictures())
    top, left, height, width = CROP
    crop = x[:, top : top + height, left : left + width]
    figures = {
        "contrast": np.stack([tf.image.adjust_contrast(x, factor) for factor in FACTORS]),
        "saturation": np.stack([tf.image.adjust_saturation(x, factor) for factor in FACTORS]),
        "hue": np.stack([tf.image.adjust_hue(x, shift) for shift in SHIFTS]),
        "grey": tf.image.rgb_to_grayscale(x).numpy(),
        "bilinear": tf.image.resize(crop[:2], (VIEW, VIEW), "bilinear").numpy(),
        "version": np.array(tf.__version__),
    }
    figures |= {f"crops_{height}_{width}": crops(height, width) for height, width in SIZES}
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("augmentation_figures.npz")
    np.savez_compressed(path, **figures)


if __name__ == "__main__":
    main()
