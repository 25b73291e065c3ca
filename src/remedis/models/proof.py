"""The evidence a converted checkpoint carries: what the original computed, how far ours is from it, and the check.

`proof.json` has the figures, `proof.safetensors` a few images with the original's outputs in float64, so that anybody
can repeat the comparison from the files alone. Agreement is decided in float64, where two right programs differ by
1e-12 or so; in float32 two right programs differ by 1e-5 to 4e-4 on these networks, so there each is judged by its
distance to float64.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from remedis import __version__
from remedis.console import QUIET, Console
from remedis.data.files import sha256, write_json
from remedis.errors import ConvertError
from remedis.models.contract import Contract
from remedis.models.difference import absolute, relative
from remedis.models.proof_images import KINDS, Pixels, as_input, proof_images
from remedis.models.staged import Staged

JSON, TENSORS = "proof.json", "proof.safetensors"
FORMAT_VERSION = 1
AGREES = 1e-9  # relative, in float64
FLOAT32_FLOOR, FLOAT32_TIMES = (
    1e-5,
    3.0,
)  # ours may be this far from float64, or three times the original's own distance
LARGE = 256  # px; from there on two images are kept instead of three
POOLED = ("stem", "stage1", "stage2", "stage3", "stage4")  # of these the spatial means are kept


class Witness(Protocol):
    """What computes the original's outputs."""

    name: str

    def outputs(self, images: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return `map`, `embedding` and what it shows of `stem` … `stage4`, channels first, for (N, 3, H, W)."""


@dataclass(frozen=True)
class Row:
    """The differences of one output for one image.

    Attributes:
        size: Side of the image in pixels.
        image: `random` or `real`.
        output: `stem`, `stage1` … `map`, `embedding`.
        absolute: Largest |ours − original|, both in float64.
        relative: ‖ours − original‖₂ / ‖original‖₂, both in float64.
        ours_float32: The same ratio of our float32 to the original's float64.
        original_float32: Of the original's own float32.
    """

    size: int
    image: str
    output: str
    absolute: float
    relative: float
    ours_float32: float
    original_float32: float


@dataclass
class Proof:
    """A proof while it is made: figures, and the tensors that are kept.

    Attributes:
        witness: Who computed the original's outputs.
        original: What is known of it: kind, function, output, hashes of its files.
        rows: The differences.
        kept: Images and outputs by `SIZE.images`, `SIZE.map` …
        second: What a second witness found, if one was asked.
    """

    witness: str
    original: Mapping[str, Any]
    rows: list[Row] = field(default_factory=list)
    kept: dict[str, Tensor] = field(default_factory=dict)
    second: dict[str, Any] | None = None

    def worst(self, name: str) -> float:
        """Return the largest value of an attribute of the rows."""
        return max((getattr(row, name) for row in self.rows), default=0.0)


def images_of(size: int) -> Pixels:
    """Return the images of a proof at one size: noise first, then photographs; fewer where they are large."""
    return proof_images(size)[: 2 if size > LARGE else None]


def compare(
    proof: Proof,
    witness: Witness,
    network: Staged,
    sizes: tuple[int, ...],
    contract: Contract,
    console: Console = QUIET,
) -> None:
    """Fill in the rows and the tensors kept.

    Args:
        proof: Is filled.
        witness: The original.
        network: Ours in float32; its weights are widened for the comparison in float64 and left as they were.
        sizes: Sides of the images in pixels.
        contract: Says which range images have.
        console: Where progress goes.
    """
    with console.track(4 * len(sizes), "steps", "proving") as track:
        inputs = {size: as_input(images_of(size), contract.range) for size in sizes}
        theirs, theirs_float32, ours_float32, ours = {}, {}, {}, {}
        for size, x in inputs.items():
            theirs[size] = witness.outputs(x, torch.float64)
            track.advance()
            theirs_float32[size] = witness.outputs(x.float(), torch.float32)
            track.advance()
            ours_float32[size] = network.outputs(x.float())
            track.advance()
        narrow = dict(network.state_dict())
        network.double()
        for size, x in inputs.items():
            ours[size] = network.outputs(x)
            track.advance()
        network.load_state_dict(narrow, assign=True)
    for size in sizes:
        _rows(proof, size, theirs[size], theirs_float32[size], ours[size], ours_float32[size])
        _keep(proof, size, theirs[size])


def _rows(
    proof: Proof,
    size: int,
    theirs: Mapping[str, Tensor],
    theirs_float32: Mapping[str, Tensor],
    ours: Mapping[str, Tensor],
    ours_float32: Mapping[str, Tensor],
) -> None:
    for number, kind in enumerate(KINDS[: len(theirs["map"])]):
        one = slice(number, number + 1)
        for name, expected in theirs.items():
            figures = (
                absolute(ours[name][one], expected[one]),
                relative(ours[name][one], expected[one]),
                relative(ours_float32[name][one], expected[one]),
                relative(theirs_float32[name][one], expected[one]),
            )
            proof.rows.append(Row(size, kind, name, *figures))


def _keep(proof: Proof, size: int, theirs: Mapping[str, Tensor]) -> None:
    proof.kept[f"{size}.images"] = torch.from_numpy(np.ascontiguousarray(images_of(size)))
    for name, value in theirs.items():
        kept = value.mean(dim=(2, 3)) if name in POOLED else value
        proof.kept[f"{size}.{name}"] = kept.contiguous()


def refuse_apart(proof: Proof, source: Path) -> None:
    """Raise unless the witness computed the same, and something.

    Args:
        proof: After `compare`.
        source: What is converted, for the message.

    Raises:
        ConvertError: An output differs by more than 1e-9 in float64, or the map is zero everywhere.
    """
    worst = max(proof.rows, key=lambda row: row.relative)
    if not worst.relative <= AGREES:
        raise ConvertError(
            f"the {worst.output} of a {worst.image} image of {worst.size} px differs by {worst.relative:.1e} in "
            f"float64 from {proof.witness}, at most {AGREES:.0e} was expected",
            where=source,
        )
    if not any(bool(kept.any()) for name, kept in proof.kept.items() if name.endswith(".map")):
        raise ConvertError(
            "its map is zero everywhere for every image, of which nothing can be learnt and nothing proven; the "
            "weights are damaged, or --range is not what images had in training",
            where=source,
        )


def write(proof: Proof, folder: Path, *, weights_sha256: str, contract: Contract) -> None:
    """Write both files into a checkpoint's folder."""
    save_file(proof.kept, folder / TENSORS)
    write_json(
        folder / JSON,
        {
            "format_version": FORMAT_VERSION,
            "what": "Differences between this checkpoint's network and the original, see remedis models verify",
            "witness": proof.witness,
            "second_witness": proof.second,
            "original": dict(proof.original),
            "result": {
                "weights_sha256": weights_sha256,
                "contract": contract.to_json(),
                "tensors_sha256": sha256(folder / TENSORS),
            },
            "largest": {
                name: proof.worst(name) for name in ("absolute", "relative", "ours_float32", "original_float32")
            },
            "expected": {
                "relative": AGREES,
                "ours_float32": f"at most {FLOAT32_FLOOR:g} or {FLOAT32_TIMES:g} times original_float32",
            },
            "images": "random: uniform noise; real: photographs that come with scikit-learn (china.jpg, flower.jpg)",
            "rows": [asdict(row) for row in proof.rows],
            "versions": versions(),
        },
    )


def versions() -> dict[str, str]:
    """Return the versions of what computed a proof, and the processor."""
    return {
        "remedis": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
    }
