"""Encoder: a backbone joined to its contract."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from remedis.data.image import Image
from remedis.data.resize import resize
from remedis.errors import InputError
from remedis.models.card import Facts
from remedis.models.contract import Contract
from remedis.models.scaling import refuse_out_of_range, to_range
from remedis.models.staged import Staged
from remedis.models.timm_encoder import TimmBackbone

Backbone = Staged | TimmBackbone
Images = Tensor | Image | Sequence[Image]


class Encoder(nn.Module):
    """Images to embeddings, held to a contract.

    Args:
        backbone: The network; takes tensors in the contract's range, checks nothing.
        contract: What goes in and comes out.
        name: What people call it.
        network: The network's name (`bit-r50x1`, `timm:NAME`).
        facts: What is known about the weights.

    In evaluation mode the weights keep no gradient, so that results convert to numpy at once; a tensor that
    asks for its own gradient still gets it. In training mode (`encoder.train()`), and in `encoder.backbone`,
    gradients are torch's own.
    """

    def __init__(
        self,
        backbone: Backbone,
        contract: Contract,
        name: str,
        *,
        network: str = "",
        facts: Facts | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.contract = contract
        self.name = name
        self.network = network or name
        self.facts = facts or Facts()

    def forward(self, images: Images) -> Tensor:
        """Return the embeddings (N, D).

        Args:
            images: A float tensor (N, C, H, W) in the contract's range (0.001 of its span aside), never
                resized, and brought to the device and precision of the weights; or a `remedis.Image` or a
                list of them, which are resized and scaled as the contract says. An image of F frames gives F
                rows.

        Raises:
            InputError: Another shape, type or range.
        """
        x = self._input(images)
        with self._gradients(x):
            return self.backbone(x)  # type: ignore[no-any-return]

    def features(self, images: Images) -> Tensor:
        """Return the map (N, C, h, w); the arguments are those of a call.

        Raises:
            InputError: Another shape, type or range, or the network has no map.
        """
        x = self._input(images)
        with self._gradients(x):
            return self.backbone.features(x)

    def stages(self, images: Images) -> dict[str, Tensor]:
        """Return `stem`, `stage1` … `stage4`, `map` and `embedding` (of timm networks the last two)."""
        x = self._input(images)
        with self._gradients(x):
            return self.backbone.outputs(x)

    @property
    def width(self) -> int:
        """D, numbers in an embedding."""
        return self.backbone.width

    @property
    def parameters_count(self) -> int:
        """How many numbers training would change."""
        return sum(weight.numel() for weight in self.backbone.parameters())

    @property
    def hash(self) -> str:
        """SHA-256 of the weights as they are now, see `hash_of`."""
        return hash_of(self.weights())

    def weights(self) -> dict[str, Tensor]:
        """Return the weights by the names that a checkpoint stores them under."""
        module = self.backbone.model if isinstance(self.backbone, TimmBackbone) else self.backbone
        return dict(module.state_dict())

    def refuse_size(self, size: int) -> None:
        """Raise if the network cannot take squares of `size` pixels (position embeddings of one size).

        Raises:
            InputError: Names the size that fits.
        """
        fixed = self.backbone.fixed_size if isinstance(self.backbone, TimmBackbone) else None
        if fixed is not None and size != fixed:
            raise InputError(f"images of {size} px, {self.name} takes {fixed} px only; --image-size {fixed}")

    def made_for(self, size: int, profile: str) -> Encoder:
        """Let the contract be that of squares of `size` pixels of a profile, what it is now trained on; return itself.

        Raises:
            InputError: As `refuse_size`.
        """
        self.refuse_size(size)
        self.contract = replace(self.contract, size=size, profile=profile)
        return self

    def _input(self, images: Images) -> Tensor:
        weight = next(self.backbone.parameters())
        x = images if isinstance(images, Tensor) else self._from_images(images)
        refuse_out_of_range(x, self.contract.range, self.contract.channels)
        return x.to(weight.device, weight.dtype)

    def _from_images(self, images: Image | Sequence[Image]) -> Tensor:
        """Return images of whatever size as one float tensor; one row a frame."""
        listed = [images] if isinstance(images, Image) else images
        if not isinstance(listed, list | tuple) or not all(isinstance(image, Image) for image in listed):
            raise InputError(
                f"a {type(images).__name__}, a float tensor (N, {self.contract.channels}, H, W) or what "
                "remedis.read gives was expected"
            )
        if self.contract.channels != 3:
            raise InputError(f"an image of 3 channels, {self.name} takes {self.contract.channels}; pass a tensor")
        rows = [self._scaled(frame) for image in listed for frame in image.pixels.reshape(-1, *image.pixels.shape[-3:])]
        return torch.cat(rows) if rows else torch.zeros(0, 3, self.contract.size, self.contract.size)

    def _scaled(self, pixels: np.ndarray[Any, Any]) -> Tensor:
        square = resize(pixels, self.contract.size, self.contract.fit)
        return to_range(torch.from_numpy(np.array(square))[None], self.contract.range)

    def _gradients(self, x: Tensor) -> AbstractContextManager[Any]:
        return torch.set_grad_enabled(torch.is_grad_enabled() and (self.training or x.requires_grad))


def hash_of(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over all tensors in the order of their names: name, type, shape, bytes (C order)."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().to("cpu").contiguous()
        shape = ",".join(str(side) for side in tensor.shape)
        digest.update(f"{name} {str(tensor.dtype).removeprefix('torch.')} ({shape})\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
