"""Gaussian blur, each image with its own width."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def radius_of(size: int) -> int:
    """Return the kernel's radius for views of S pixels: 1 at 32, 11 at 224, 22 at 448; below 20 it is 0.

    Source: SimCLR's `data_util.random_blur` and `gaussian_blur`: a kernel of a tenth of the side, halved.
    """
    return size // 10 // 2


def blur(x: Tensor, sigmas: Tensor) -> Tensor:
    """Return the images blurred along rows, then along columns.

    The official program pads with zeros, which darkens the borders; here the border's pixels are repeated.

    Args:
        x: (n, C, S, S) float.
        sigmas: (n,) float64 on the CPU, the Gaussians' standard deviations in pixels.
    """
    radius = radius_of(x.shape[-1])
    steps = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernels = torch.exp(-(steps**2) / (2 * sigmas[:, None] ** 2))
    kernels = (kernels / kernels.sum(1, keepdim=True)).to(x)[:, :, None, None, None]
    for axis, border in ((3, (radius, radius, 0, 0)), (2, (0, 0, radius, radius))):
        wide = pad(x, border, mode="replicate")
        side = x.shape[axis]
        # tap by tap, not a convolution: its order of summing depends on how many images there are
        x = wide.narrow(axis, 0, side) * kernels[:, 0]
        for tap in range(1, 2 * radius + 1):
            x.addcmul_(wide.narrow(axis, tap, side), kernels[:, tap])
    return x
