"""The weights' own file, model.safetensors: read whole, checked, or refused in words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from remedis.errors import CheckpointError
from remedis.models.encoder import hash_of

WEIGHTS = "model.safetensors"
TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int32, torch.int64, torch.bool)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of model.safetensors, by name.

    Raises:
        CheckpointError: The file is missing, damaged, or holds values that are not finite.
    """
    path = folder / WEIGHTS
    if not path.exists():
        raise CheckpointError(
            f"there is no {WEIGHTS}, the folder has no weights; remedis models init writes random ones",
            where=folder,
        )
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"is damaged or no safetensors file ({error}); get it again", where=path) from error
    for name, tensor in weights.items():
        _refuse_values(path, name, tensor)
    return weights


def _refuse_values(path: Path, name: str, tensor: Tensor) -> None:
    if tensor.dtype not in TYPES:
        known = ", ".join(_name(dtype) for dtype in TYPES)
        raise CheckpointError(f"{name} has the type {_name(tensor.dtype)}, one of {known} was expected", where=path)
    if not tensor.is_floating_point():
        return
    total = tensor.sum(dtype=torch.promote_types(tensor.dtype, torch.float32))  # a tenth of the work of looking at each
    if not bool(total.isfinite()) and not bool(tensor.isfinite().all()):
        raise CheckpointError(f"{name} holds values that are not finite; the file is of no use", where=path)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def refuse_changed(folder: Path, weights: Mapping[str, Tensor], digest: str | None) -> None:
    """Raise if the weights' hash is not `digest` (None: nothing is known, nothing is checked).

    Raises:
        CheckpointError: Says so.
    """
    if digest is not None and hash_of(weights) != digest:
        raise CheckpointError(
            "the weights are not those that config.json names (remedis.weights_sha256); get the folder again",
            where=folder / WEIGHTS,
        )


def refuse_other(path: Path, network: str, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raise unless `found` has the names, the shapes and the kinds of number of `wanted`.

    Raises:
        CheckpointError: Names the first that differ.
    """
    missing = [name for name in wanted if name not in found]
    surplus = [name for name in found if name not in wanted]
    for names, what in ((missing, "lacks"), (surplus, "also holds")):
        if names:
            listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            raise CheckpointError(f"the file {what} {listed}; it holds another network than {network}", where=path)
    for name, tensor in wanted.items():
        if tensor.shape != found[name].shape:
            raise CheckpointError(
                f"{name} has shape {tuple(found[name].shape)}, {network} has {tuple(tensor.shape)}",
                where=path,
            )
        if tensor.is_floating_point() != found[name].is_floating_point():
            raise CheckpointError(f"{name} has the type {found[name].dtype}, numbers were expected", where=path)


def one_precision(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with all floats in the widest type among them, at least float32.

    Half precision is widened because few processors compute it well; a network of two types would not run.
    """
    floats = {tensor.dtype for tensor in weights.values() if tensor.is_floating_point()}
    widest = reduce(torch.promote_types, floats, torch.float32)
    return {name: tensor.to(widest) if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
