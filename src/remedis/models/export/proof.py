"""Whether an export computes what the encoder computes: both are held against the encoder in float64.

Two right float32 programs of a deep network differ by 1e-5 to 4e-4 (relative), since they add in another order. So
an export is not held against our own float32, but both are held against float64: it may be three times as far from
that as ours, or 1e-5 where that is more. A missing `2x - 1`, another padding or swapped sides differ by 1e-2 and more.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from remedis.errors import CheckFailedError
from remedis.models.difference import relative
from remedis.models.encoder import Encoder
from remedis.models.proof_images import proof_images
from remedis.models.timm_encoder import TimmBackbone

TIMES, FLOOR = 3.0, 1e-5
RULE = f"at most {TIMES:g} times as far from float64 as ours, or {FLOOR:g}"
EVEN, ODD, NARROW = 64, 65, 49  # pixels; where sides are even and odd, strides and paddings go other ways
Outputs = Mapping[str, Tensor]


@dataclass(frozen=True)
class Expected:
    """A batch of images and what the encoder makes of it.

    Attributes:
        images: Float32 (N, C, H, W) in [0, 1].
        outputs: `embedding` (N, D) and, where there is one, `features` (N, C, h, w), in float64.
        ours: How far our own float32 is from that, output by output.
    """

    images: Tensor
    outputs: Outputs
    ours: Mapping[str, float]


@dataclass(frozen=True)
class Difference:
    """How far one output of an export lies from float64, ‖a - b‖₂ / ‖b‖₂ of the worst image.

    Attributes:
        images: Shape of the batch, (N, C, H, W).
        output: `embedding` or `features`.
        found: The export's distance.
        ours: That of our own float32.
    """

    images: tuple[int, ...]
    output: str
    found: float
    ours: float

    @property
    def limit(self) -> float:
        """The largest distance that is accepted."""
        return max(TIMES * self.ours, FLOOR)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "images": list(self.images), "limit": self.limit}


def batches(encoder: Encoder) -> list[Tensor]:
    """Return two batches of float32 (N, C, H, W) in [0, 1]: three images of even, two of odd and unequal sides.

    Both have the contract's size where the network takes one size only.
    """
    channels = [channel % 3 for channel in range(encoder.contract.channels)]
    fixed = one_size(encoder)

    def batch(side: int) -> Tensor:
        return torch.from_numpy(proof_images(side)).permute(0, 3, 1, 2)[:, channels].to(torch.float32) / 255

    if fixed is not None:
        return [batch(fixed), batch(fixed)[1:]]
    return [batch(EVEN), batch(ODD)[1:, :, :, -NARROW:]]


@torch.no_grad()
def one_size(encoder: Encoder) -> int | None:
    """Return the contract's size where the network takes no other, else None (it takes any)."""
    backbone = encoder.backbone
    if not isinstance(backbone, TimmBackbone):
        return None
    if backbone.fixed_size is not None or backbone.map_kind() != "after-norm":
        return encoder.contract.size
    weight = next(backbone.parameters())
    try:
        backbone.outputs(weight.new_zeros(1, encoder.contract.channels, ODD, NARROW))
    except Exception:  # a network that cannot, says so in a way of its own
        return encoder.contract.size
    return None


@torch.no_grad()
def expected(encoder: Encoder, images: Iterable[Tensor] | None = None) -> list[Expected]:
    """Return what the encoder makes of the batches in float64, and how far its float32 is from that."""
    given = list(batches(encoder) if images is None else images)
    precise = _outputs(encoder, torch.float64, given)
    plain = _outputs(encoder, torch.float32, given)
    return [
        Expected(x, outputs, {name: relative(ours[name], outputs[name]) for name in outputs})
        for x, outputs, ours in zip(given, precise, plain, strict=True)
    ]


def _outputs(encoder: Encoder, dtype: torch.dtype, batches: Iterable[Tensor]) -> list[Outputs]:
    """Return the network's outputs of images in [0, 1], computed on the processor in `dtype`."""
    backbone = copy.deepcopy(encoder.backbone).to("cpu", dtype).eval()
    low, high = encoder.contract.range
    names = {"embedding": "embedding", "map": "features"}
    found = (backbone.outputs(x.to(dtype) * (high - low) + low) for x in batches)
    return [{names[name]: tensor for name, tensor in outputs.items() if name in names} for outputs in found]


def differences(run: Callable[[Tensor], Outputs], wanted: Iterable[Expected]) -> tuple[Difference, ...]:
    """Return how far an export's outputs lie from float64.

    Args:
        run: Takes float32 images (N, C, H, W) in [0, 1] to outputs by name; one that it lacks is infinitely far.
        wanted: What the encoder makes of the images.
    """
    found = [(batch, run(batch.images)) for batch in wanted]
    return tuple(
        Difference(
            tuple(batch.images.shape),
            name,
            relative(outputs[name], batch.outputs[name]) if name in outputs else float("inf"),
            batch.ours[name],
        )
        for batch, outputs in found
        for name in batch.outputs
    )


def refuse_far(what: str, held: tuple[Difference, ...]) -> None:
    """Raise if one difference is larger than the rule allows.

    Args:
        what: The export, in words, for the message.
        held: What `differences` found.

    Raises:
        CheckFailedError: Says by how much.
    """
    worst = max(held, key=lambda difference: difference.found / difference.limit)
    if not worst.found <= worst.limit:
        shape = " x ".join(str(side) for side in worst.images)
        raise CheckFailedError(
            f"{what} is not what the encoder computes: its {worst.output} of images {shape} is {worst.found:.1e} "
            f"(relative) from float64, ours {worst.ours:.1e}, at most {worst.limit:.1e} was expected; "
            "nothing was written"
        )


def largest(held: tuple[Difference, ...]) -> float:
    """Return the largest distance from float64."""
    return max(difference.found for difference in held)
