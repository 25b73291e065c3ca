"""BiT's parameters as Google's programs name and lay them out, from the layer lists of their `models.py` files.

Sources: google-research/big_transfer, bit_tf2/models.py (names, kernels HWIO) and bit_pytorch/models.py. Weights come
by timm's names; nothing of remedis is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

UNITS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def pairs(depth: int) -> Iterator[tuple[str, str, str]]:
    """timm's name, TensorFlow's and bit_pytorch's, layer by layer from the image on."""
    yield "stem.conv.weight", "root_block/standardized_conv2d/kernel", "root.conv.weight"
    for block in range(4):
        for unit in range(UNITS[depth][block]):
            timm = f"stages.{block}.blocks.{unit}."
            tensorflow = f"block{block + 1}/unit{unit + 1:02}/"
            torch = f"body.block{block + 1}.unit{unit + 1:02}."
            if unit == 0:
                yield (
                    timm + "downsample.conv.weight",
                    tensorflow + "a/proj/standardized_conv2d/kernel",
                    torch + "downsample.weight",
                )
            for number, letter in ((1, "a"), (2, "b"), (3, "c")):
                yield (
                    timm + f"norm{number}.weight",
                    tensorflow + letter + "/group_norm/gamma",
                    torch + f"gn{number}.weight",
                )
                yield timm + f"norm{number}.bias", tensorflow + letter + "/group_norm/beta", torch + f"gn{number}.bias"
                yield (
                    timm + f"conv{number}.weight",
                    tensorflow + letter + "/standardized_conv2d/kernel",
                    torch + f"conv{number}.weight",
                )
    yield "norm.weight", "group_norm/gamma", "head.gn.weight"
    yield "norm.bias", "group_norm/beta", "head.gn.bias"


def in_tensorflow(weights: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    """Weights by TensorFlow's names, kernels (h, w, in, out)."""
    named = {tensorflow: weights[timm] for timm, tensorflow, _ in pairs(depth) if timm in weights}
    return {name: one.permute(2, 3, 1, 0).contiguous() if one.ndim == 4 else one for name, one in named.items()}


def in_pytorch(weights: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    """Weights by the names of BiT's PyTorch program."""
    return {torch: weights[timm] for timm, _, torch in pairs(depth) if timm in weights}
