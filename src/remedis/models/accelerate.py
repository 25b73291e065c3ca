"""The fast way through an encoder: integer images in, float32 embeddings out.

What makes it fast, each measured by benchmarks/embed.py: standardised kernels and batch norms are folded into
plain convolutions once, activations lie channels-last, bfloat16 where it is asked for, and on a processor every
core has images of its own, so few that their activations stay below the size from which every allocation is mapped
anew.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from remedis.errors import UsageError
from remedis.models.bit import BiT, StdConv2d
from remedis.models.encoder import Encoder
from remedis.models.scaling import to_range
from remedis.models.staged import Staged
from remedis.models.team import Team
from remedis.models.timm_encoder import TimmBackbone

Precision = Literal["fp32", "bf16"]
DTYPES: dict[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}
BYTES_A_PIECE = 26e6  # of the widest activation: 8 images of R50x1 at 224 px in float32, 16 in bfloat16

log = logging.getLogger(__name__)


def prepare(
    encoder: Encoder, *, precision: str = "fp32", device: str | torch.device = "cpu"
) -> Callable[[Tensor], Tensor]:
    """Return a function from (N, S, S, 3) uint8 or uint16 to embeddings (N, D) float32 on `device`.

    The encoder is left as it is. In `fp32` the result is the encoder's within 1e-4 (relative), the distance
    of two right float32 programs; `bf16` keeps the statistics of norms, the mean and the first layers in
    float32 and reaches a cosine of 0.999 on R50x1, with random kernels too. On a processor the work is done
    with torch's number of threads, one batch at a time.

    Args:
        encoder: In evaluation mode or not; the copy is.
        precision: `fp32` or `bf16`.
        device: Where the work is done; images are brought there as integers.

    Raises:
        UsageError: The precision is neither.
    """
    if precision not in DTYPES:
        raise UsageError(f"the precision is {precision!r}, fp32 or bf16 was expected")
    target = torch.device(device)
    if precision == "bf16" and target.type == "cpu" and not has_bf16():
        log.warning("this processor has no bfloat16 instructions; fp32 is faster here")
    network = _network(encoder.backbone, DTYPES[precision], target)
    low_high = encoder.contract.range

    @torch.inference_mode()
    def run(images: Tensor) -> Tensor:
        with _exact_products(target) if precision == "fp32" else nullcontext():
            return network(to_range(images.to(target), low_high))

    team = Team(run)

    def encode(images: Tensor) -> Tensor:
        if not len(images):
            return torch.zeros(0, encoder.width, device=target)
        if target.type != "cpu":
            return run(images)
        return team(images, _most(encoder.width, images.shape[1], precision))

    return encode


def has_bf16() -> bool:
    """Return whether this processor multiplies bfloat16 matrices itself (AVX512-BF16 or AMX)."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def has_amx() -> bool:
    """Return whether this processor has a unit for matrices of bfloat16 (AMX), quicker than float32."""
    return torch.cpu._is_amx_tile_supported()


def _most(width: int, side: int, precision: str) -> int:
    """Return how many images go through a processor's core at once."""
    widest = (width / 8) * (side / 4) ** 2 * DTYPES[precision].itemsize  # the first stage's, in a ResNet
    return max(1, int(BYTES_A_PIECE / widest))


def _exact_products(device: torch.device) -> AbstractContextManager[Any]:
    """Keep float32 convolutions float32 on GPUs, where cuDNN would round their input to 10 bits."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def _network(backbone: Staged | TimmBackbone, dtype: torch.dtype, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return what takes float32 (N, 3, H, W) in the contract's range to float32 (N, D)."""
    if isinstance(backbone, TimmBackbone):
        return _autocast(backbone, dtype, device)
    # On GPUs a group norm takes weights of its input's type only; its statistics are float32 there too.
    norms = torch.float32 if device.type == "cpu" else dtype
    folded = folded_copy(backbone, dtype, norms).to(device=device)

    def run(x: Tensor) -> Tensor:
        x = folded.scaled(x).to(memory_format=torch.channels_last)
        return folded.features_of_scaled(x).mean(dim=(2, 3), dtype=torch.float32)

    return run


def _autocast(backbone: TimmBackbone, dtype: torch.dtype, device: torch.device) -> Callable[[Tensor], Tensor]:
    network = copy.deepcopy(backbone).eval().to(device=device, dtype=torch.float32)
    network = network.to(memory_format=torch.channels_last)

    def run(x: Tensor) -> Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            return network(x).float()  # type: ignore[no-any-return]

    return run


def folded_copy(backbone: Staged, dtype: torch.dtype, norms: torch.dtype = torch.float32) -> Staged:
    """Return the network with plain convolutions of `dtype`, channels-last, and norms whose weights are `norms`.

    Up to and with the first block all is float32, see `_early`.

    Kernels are standardised, and batch norms multiplied into them, in the precision of the weights, before
    they are rounded to `dtype`.
    """
    shared = {id(module.weight): module.weight for module in backbone.modules() if isinstance(module, nn.Conv2d)}
    network = copy.deepcopy(backbone, memo=dict(shared)).eval()  # shared: they are replaced below
    early = _early(network)
    for parent, name, module in list(_convolutions(network)):
        norm_name = _norm_after(parent, name)
        plain = _plain(module)
        if norm_name is not None:
            plain = fuse_conv_bn_eval(plain.eval(), getattr(parent, norm_name))
            setattr(parent, norm_name, nn.Identity())
        type_ = torch.float32 if parent in early else dtype
        setattr(parent, name, plain.to(dtype=type_, memory_format=torch.channels_last))  # type: ignore[call-overload]
    for norm in network.modules():
        if isinstance(norm, nn.GroupNorm | nn.BatchNorm2d):
            norm.to(torch.float32 if norm in early else norms)
    blocks = _first_stage(network)
    blocks[0] = Rounded(blocks[0], dtype)
    return network.requires_grad_(False)


class Rounded(nn.Module):
    """A module in float32 whose output is rounded to another type for those that follow."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module, self.dtype = module, dtype

    def forward(self, x: Tensor) -> Tensor:
        """Return the module's output in the type."""
        output: Tensor = self.module(x)
        return output.to(self.dtype)


def _first_stage(network: Staged) -> nn.Sequential:
    blocks = network.stages[0].blocks if isinstance(network, BiT) else network.get_submodule("layer1")
    assert isinstance(blocks, nn.Sequential)
    return blocks


def _early(network: Staged) -> set[nn.Module]:
    """Return every module up to and with the first block, which stay float32.

    An image is nearly constant around most pixels and the kernels that see it have a mean near zero, so its products
    cancel; what rounding leaves of them, every later layer magnifies. On R50x1 with random kernels and real images
    the smallest cosine is 0.9966 with everything in bfloat16 and 0.9994 with these modules in float32, for a twelfth of
    the arithmetic.
    """
    children = dict(network.named_children())
    stem = [child for name, child in children.items() if name in ("stem", "conv1", "bn1")]
    return {network, *(module for child in (*stem, _first_stage(network)[0]) for module in child.modules())}


def _convolutions(network: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Conv2d]]:
    for parent in network.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.Conv2d):
                yield parent, name, child


def _norm_after(parent: nn.Module, name: str) -> str | None:
    """Return the name of the batch norm that follows a convolution: in our networks, the next child."""
    names = [child_name for child_name, _ in parent.named_children()]
    following = names[names.index(name) + 1 :][:1]
    return following[0] if following and isinstance(getattr(parent, following[0]), nn.BatchNorm2d) else None


def _plain(module: nn.Conv2d) -> nn.Conv2d:
    """Return a convolution of its own with the kernels that `module` applies."""
    plain = nn.Conv2d(
        module.in_channels, module.out_channels, module.kernel_size, module.stride, module.padding,  # type: ignore[arg-type]
        bias=False, device="meta",
    )  # fmt: skip
    weight = (module.kernels() if isinstance(module, StdConv2d) else module.weight).detach().clone()
    plain.weight = nn.Parameter(weight, requires_grad=False)
    return plain
