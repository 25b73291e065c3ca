"""`remedis models verify`: a checkpoint's proof repeated from the files alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from remedis.console import QUIET, Console
from remedis.data.files import read_json, sha256
from remedis.errors import CheckFailedError, CheckpointError, InputError
from remedis.models.checkpoint import load_checkpoint
from remedis.models.difference import relative
from remedis.models.encoder import Encoder
from remedis.models.proof import AGREES, FLOAT32_FLOOR, FLOAT32_TIMES, JSON, POOLED, TENSORS
from remedis.models.proof_images import as_input
from remedis.models.staged import Staged

LARGEST = 1 << 30  # bytes of proof.safetensors; one of R152x2 at 448 px has 13 MB


@dataclass(frozen=True)
class Verified:
    """What a repeated proof found.

    Attributes:
        encoder: The encoder's name.
        witness: Who computed the original's outputs.
        sizes: Sides of the images in pixels.
        images: How many images there were.
        float64: Largest relative difference to the original, by output.
        float32: The same of our float32.
        expected: The largest that was allowed, by output: in float64, in float32.
    """

    encoder: str
    witness: str
    sizes: tuple[int, ...]
    images: int
    float64: Mapping[str, float]
    float32: Mapping[str, float]
    expected: Mapping[str, tuple[float, float]]


def verify(folder: Path, console: Console = QUIET) -> Verified:
    """Compute the outputs of a checkpoint again and hold them against the original's, which its proof keeps.

    Raises:
        CheckpointError: The folder is no checkpoint, or has no proof.
        CheckFailedError: The weights or the proof are not those that were written, or the outputs differ.
    """
    facts = _facts(folder)
    encoder = _encoder(folder)
    _refuse_changed(folder, facts, encoder)
    kept = _kept(folder, facts)
    with console.track(2 * len(_sizes(kept)), "steps", "verifying") as track:
        narrow = _distances(encoder, kept, torch.float32, track.advance)
        wide = _distances(encoder.double(), kept, torch.float64, track.advance)
    expected = {name: (AGREES, _allowed(facts, name)) for name in wide}
    _refuse_different(folder, wide, narrow, expected)
    images = sum(len(kept[f"{size}.images"]) for size in _sizes(kept))
    return Verified(encoder.name, str(facts.get("witness")), _sizes(kept), images, wide, narrow, expected)


def _facts(folder: Path) -> dict[str, Any]:
    path = folder / JSON
    if not path.is_file():
        raise CheckpointError(
            f"has no {JSON}: nothing says what its network should compute; checkpoints that remedis models convert or "
            "download wrote have one",
            where=folder,
        )
    try:
        facts = read_json(path)
    except InputError as error:
        raise CheckFailedError(f"{JSON} is damaged ({error}); convert the original again", where=folder) from error
    if (
        not isinstance(facts, dict)
        or not isinstance(facts.get("result"), dict)
        or not isinstance(facts.get("rows"), list)
    ):
        raise CheckFailedError(f"{JSON} is no proof; convert the original again", where=folder)
    return facts


def _encoder(folder: Path) -> Encoder:
    try:
        return load_checkpoint(folder)
    except CheckpointError as error:
        if not (folder / "config.json").is_file() or not (folder / "model.safetensors").is_file():
            raise
        raise CheckFailedError(f"does not open as what it was written as: {error}", where=folder) from error


def _refuse_changed(folder: Path, facts: Mapping[str, Any], encoder: Encoder) -> None:
    result = facts["result"]
    if encoder.hash != result.get("weights_sha256"):
        raise CheckFailedError("the weights are not those that were proven; convert the original again", where=folder)
    if encoder.contract.to_json() != result.get("contract"):
        raise CheckFailedError(
            "the contract in config.json is not the one that was proven; convert the original again", where=folder
        )


def _kept(folder: Path, facts: Mapping[str, Any]) -> dict[str, Tensor]:
    path = folder / TENSORS
    if not path.is_file() or path.stat().st_size > LARGEST or sha256(path) != facts["result"].get("tensors_sha256"):
        raise CheckFailedError(f"{TENSORS} is not the one that was written; convert the original again", where=folder)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckFailedError(f"{TENSORS} is damaged ({error}); convert the original again", where=folder) from error


def _sizes(kept: Mapping[str, Tensor]) -> tuple[int, ...]:
    return tuple(sorted(int(name.split(".")[0]) for name in kept if name.endswith(".images")))


def _distances(encoder: Encoder, kept: Mapping[str, Tensor], dtype: torch.dtype, advance: Any) -> dict[str, float]:
    """Return the largest relative difference of each output over all images and sizes, from the stem on."""
    assert isinstance(encoder.backbone, Staged)
    worst: dict[str, float] = {}
    for size in _sizes(kept):
        x = as_input(kept[f"{size}.images"].numpy(), encoder.contract.range)
        for name, found in encoder.stages(x.to(dtype)).items():
            expected = kept.get(f"{size}.{name}")
            if expected is not None:
                value = found.double().mean(dim=(2, 3)) if name in POOLED else found
                worst[name] = max(worst.get(name, 0.0), relative(value, expected))
        advance()
    return worst


def _allowed(facts: Mapping[str, Any], name: str) -> float:
    """Return how far our float32 may be from the original's float64."""
    own = [float(row["original_float32"]) for row in facts["rows"] if row.get("output") == name]
    return max(FLOAT32_FLOOR, FLOAT32_TIMES * max(own, default=0.0))


def _refuse_different(
    folder: Path, wide: Mapping[str, float], narrow: Mapping[str, float], expected: Mapping[str, tuple[float, float]]
) -> None:
    for line in _differences(wide, narrow, expected):
        raise CheckFailedError(f"does not compute what the original computes: {line}", where=folder)
    if "map" not in wide or "embedding" not in wide:
        raise CheckFailedError(f"{TENSORS} holds no map or no embedding to compare with", where=folder)


def _differences(
    wide: Mapping[str, float], narrow: Mapping[str, float], expected: Mapping[str, tuple[float, float]]
) -> Iterator[str]:
    for name, found in wide.items():
        if not found <= expected[name][0]:
            yield f"{name} is the first to differ, by {found:.1e} in float64, at most {AGREES:.0e} was expected"
    for name, found in narrow.items():
        # Pooled stages have no distance of their own: means of many numbers are nearer than each number.
        if name not in POOLED and not found <= expected[name][1]:
            yield f"{name} is {found:.1e} from float64 in float32, at most {expected[name][1]:.1e} was expected"
