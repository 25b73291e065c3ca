"""Selective kernels as SimCLR v2 uses them in its ResNets.

Source: arXiv:1903.06586; google-research/simclr resnet.py `sk_conv2d` and the shortcuts of its ResNet-D form.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

SK_RATIO = 1 / 16  # recommended in google-research/simclr; the flag's other values are not published
SMALLEST_MIDDLE = 32


class SelectiveKernel(nn.Module):
    """Two 3x3 streams, mixed channel by channel with weights that the image decides.

    Args:
        channels_in: Channels of the input.
        channels: Channels of the output.
        stride: Of the 3x3 convolutions.
    """

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        middle = max(int(channels * SK_RATIO), SMALLEST_MIDDLE)
        self.conv = nn.Conv2d(channels_in, 2 * channels, 3, stride=stride, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(2 * channels)
        self.squeeze = nn.Conv2d(channels, middle, 1, bias=False)
        self.squeeze_bn = nn.BatchNorm2d(middle)
        self.mix = nn.Conv2d(middle, 2 * channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, h, w), the normalisation and ReLU included."""
        first, second = F.relu_(self.bn(self.conv(x))).chunk(2, dim=1)
        middle = (first + second).mean(dim=(2, 3), keepdim=True)
        logits = self.mix(F.relu_(self.squeeze_bn(self.squeeze(middle))))
        weight_first, weight_second = logits.unflatten(1, (2, -1)).softmax(dim=1).unbind(1)
        mixed: Tensor = first * weight_first + second * weight_second
        return mixed


class ShortcutPool(nn.Module):
    """The 2x2 average before the shortcut's 1x1 convolution.

    With stride 2 a row and a column of zeros at the bottom and right count in the average. With stride 1 the
    border (TensorFlow's SAME) does not count; repeating the last row and column gives those very averages.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the sides divided by the stride, rounded up."""
        mode = "constant" if self.stride > 1 else "replicate"
        return F.avg_pool2d(F.pad(x, (0, 1, 0, 1), mode=mode), 2, stride=self.stride)
