"""timm's networks as encoders: `timm:NAME`, or a folder that timm's `local-dir:` opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from torch import Tensor, nn

from remedis.errors import CheckpointError, InputError, MissingExtraError, nearest
from remedis.models.contract import Contract
from remedis.models.reach import hub_answers, only_cached

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PREFIX = "timm:"
LARGEST_GROWTH = 4  # position embeddings may grow when another image size is asked for; nothing else does


class TimmBackbone(nn.Module):
    """A timm network without classifier that normalises inside, as timm's config says.

    Args:
        model: What `timm.create_model(..., num_classes=0)` gave.
        mean: Of each channel, for images in [0, 1].
        std: Likewise.
    """

    def __init__(self, model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.model: Any = model
        self.width = int(getattr(model, "head_hidden_size", None) or model.num_features)  # type: ignore[arg-type]
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    @property
    def fixed_size(self) -> int | None:
        """Side in pixels where only one is possible, else None."""
        embed = getattr(self.model, "patch_embed", None)
        if embed is None or not getattr(embed, "strict_img_size", False):
            return None
        size = getattr(embed, "img_size", None)
        return int(size[0]) if size else None

    def forward(self, x: Tensor) -> Tensor:
        """Return timm's own embedding, `forward_head(pre_logits=True)`, (N, D)."""
        return self._pooled(self._run(x))

    def features(self, x: Tensor) -> Tensor:
        """Return the map (N, C, h, w); patch tokens are folded into one.

        Raises:
            InputError: The output is neither a map nor the tokens of a grid.
        """
        return self._map(self._run(x), x)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """Return `map`, where there is one, and `embedding`."""
        found = self._run(x)
        outputs = {} if self.map_kind() == "none" else {"map": self._map(found, x)}
        return {**outputs, "embedding": self._pooled(found)}

    def map_kind(self) -> str:
        """Return the contract's word for what `features` gives."""
        return "tokens" if hasattr(self.model, "num_prefix_tokens") else "after-norm"

    def scaled(self, x: Tensor) -> Tensor:
        """Return what timm's network takes."""
        return (x - self.mean) / self.std

    def _run(self, x: Tensor) -> Any:
        try:
            return self.model.forward_features(self.scaled(x))
        except AssertionError as error:
            height, width = x.shape[-2:]
            raise InputError(f"timm's network takes no images of {height} x {width} px ({error})") from error

    def _pooled(self, found: Any) -> Tensor:
        embedding = self.model.forward_head(found, pre_logits=True)
        if not isinstance(embedding, Tensor) or embedding.ndim != 2:
            raise InputError("timm's network does not pool its output; one that gives a vector an image was expected")
        return embedding

    def _map(self, found: Any, x: Tensor) -> Tensor:
        if isinstance(found, Tensor) and found.ndim == 4:
            channels = int(self.model.num_features)
            last = found.shape[1] != channels and found.shape[-1] == channels
            return found.permute(0, 3, 1, 2) if last else found
        if isinstance(found, Tensor) and found.ndim == 3:
            patches = found[:, int(getattr(self.model, "num_prefix_tokens", 0)) :]
            height, width = self._grid(x, patches.shape[1])
            if height * width == patches.shape[1]:
                folded: Tensor = patches.transpose(1, 2).reshape(len(x), -1, height, width)
                return folded
        raise InputError("timm's network has no map: its output is neither (N, C, h, w) nor the tokens of a grid")

    def _grid(self, x: Tensor, patches: int) -> tuple[int, int]:
        embed = getattr(self.model, "patch_embed", None)
        if embed is not None and hasattr(embed, "dynamic_feat_size"):
            height, width = embed.dynamic_feat_size(tuple(x.shape[-2:]))
            return int(height), int(width)
        side = int(patches**0.5)
        return side, side


def require_timm() -> Any:
    """Return the package timm.

    Raises:
        MissingExtraError: It is not installed; says the pip line.
    """
    try:
        import timm
    except ImportError as error:
        raise MissingExtraError("timm", "timm", needed_for="an encoder of timm's") from error
    return timm


def create(name: str, *, seed: int | None = None, size: int | None = None) -> tuple[TimmBackbone, Contract]:
    """Return timm's network `name` and its contract.

    Args:
        name: timm's, without `timm:`.
        seed: Decides random weights; None asks for timm's pretrained ones.
        size: Side in pixels where it shall not be the network's own.

    Raises:
        CheckpointError: timm does not know it, it has no pretrained weights, or they cannot be had here.
    """
    timm = require_timm()
    _refuse_unknown(timm, name)
    if seed is None:
        return _joined(_pretrained(timm, name), size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _joined(_sized(timm, name, size), size)


def open_folder(folder: Path, weights: Mapping[str, Tensor]) -> tuple[TimmBackbone, Contract]:
    """Return the network of a folder in timm's form (config.json and model.safetensors).

    Args:
        folder: The folder; timm prefers model.safetensors to any pickled file beside it.
        weights: What model.safetensors holds.

    Raises:
        CheckpointError: The file holds another network's weights, or not all of this one's.
    """
    timm = require_timm()
    try:
        with torch.device("meta"):  # costs no memory, whatever config.json asks for
            described = timm.create_model(f"local-dir:{folder}", pretrained=False, num_classes=0)
        _refuse_unlike(folder, described, weights)
        model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0)
        return _joined(model, None)
    except CheckpointError:
        raise
    except Exception as error:  # timm names no exceptions of its own; anything means that the folder is no good
        raise CheckpointError(f"timm cannot open it ({_first_line(error)})", where=folder) from error


def _refuse_unlike(folder: Path, described: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Raise where timm would fill a parameter with random numbers, or a network of another size."""
    missing = [name for name, _ in described.named_parameters() if name not in weights]
    if missing:
        raise CheckpointError(
            f"model.safetensors lacks {len(missing)} of the parameters of the network that config.json names, "
            f"the first is {missing[0]}; save the folder with timm's save_for_hf",
            where=folder,
        )
    numbers, found = (sum(w.numel() for w in given) for given in (described.parameters(), weights.values()))
    if numbers > LARGEST_GROWTH * found:
        raise CheckpointError(
            f"config.json describes a network of {numbers:,} parameters, model.safetensors holds {found:,}",
            where=folder,
        )


def _refuse_unknown(timm: Any, name: str) -> None:
    if name.startswith("local-dir:"):
        raise CheckpointError("give the folder itself, without timm:local-dir:", where=PREFIX + name)
    if name.startswith(("hf-hub:", "hf_hub:")) or timm.is_model(name.partition(".")[0]):
        return
    raise CheckpointError(f"timm has no network {name!r}, {nearest(name, timm.list_models())}", where=PREFIX + name)


def _pretrained(timm: Any, name: str) -> nn.Module:
    with nullcontext() if hub_answers() else only_cached():
        return _made(
            name,
            lambda: timm.create_model(name, pretrained=True, num_classes=0),
            "the pretrained weights cannot be had here ({}); connect once, give a folder of theirs, or "
            "ask for random ones with --random-weights",
        )


def _sized(timm: Any, name: str, size: int | None) -> nn.Module:
    """Return the network with random weights; the size is handed on only where one has to be chosen."""
    plain = _made(name, lambda: timm.create_model(name, pretrained=False, num_classes=0), "timm cannot build it ({})")
    if size is None or not getattr(plain, "pretrained_cfg", {}).get("fixed_input_size"):
        return plain
    return _made(
        name,
        lambda: timm.create_model(name, pretrained=False, num_classes=0, img_size=size),
        "timm cannot build it for this size ({})",
    )


def _made(name: str, make: Callable[[], nn.Module], complaint: str) -> nn.Module:
    try:
        return make()
    except Exception as error:  # timm and the Hub's client raise a dozen kinds
        raise CheckpointError(complaint.format(_first_line(error)), where=PREFIX + name) from error


def _joined(model: nn.Module, size: int | None) -> tuple[TimmBackbone, Contract]:
    config: dict[str, Any] = dict(getattr(model, "pretrained_cfg", None) or {})
    channels, *sides = config.get("input_size") or (3, 224, 224)
    backbone = TimmBackbone(model, tuple(config.get("mean") or IMAGENET_MEAN), tuple(config.get("std") or IMAGENET_STD))
    own = backbone.fixed_size or int(sides[-1])
    contract = Contract(size=size or own, channels=int(channels), map=backbone.map_kind(), pool="timm")  # type: ignore[arg-type]
    return backbone, contract


def _first_line(error: Exception) -> str:
    if isinstance(error, LocalEntryNotFoundError):
        return "the Hugging Face Hub cannot be reached, and its cache does not hold them"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else ""
    return f"{type(error).__name__}: {text}"[:300]
