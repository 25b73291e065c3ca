"""TensorFlow as a second witness: the original run by the program it was written with, in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from remedis.data.files import write_json
from remedis.errors import ConvertError
from remedis.models.convert.original import Original
from remedis.models.difference import relative
from remedis.models.proof import FLOAT32_TIMES, Proof, images_of
from remedis.models.proof_images import as_input
from remedis.models.tensorflow_python import require_tensorflow_python, run_program

PROGRAM = Path(__file__).with_name("witness_program.py")
FLOOR = 1e-4  # two right float32 programs differ by up to 4e-4 on the deepest networks, by less on others


def ask_tensorflow(proof: Proof, original: Original, sizes: tuple[int, ...], low_high: tuple[float, float]) -> None:
    """Run the original in TensorFlow on the proof's images and write down how far its float32 is from float64.

    Args:
        proof: Holds the stored graph's outputs in float64; `second` is filled in.
        original: What was converted.
        sizes: Sides of the images in pixels.
        low_high: The range that images have.

    Raises:
        MissingExtraError: There is no TensorFlow.
        StoppedError: TensorFlow ended with an error.
        ConvertError: TensorFlow computes something else than the stored graph as it is executed here.
    """
    python = require_tensorflow_python("--witness tensorflow")
    name = "embedding" if original.pools else "map"
    outputs = _run(python, original, {str(size): as_input(images_of(size), low_high).float() for size in sizes})
    distances = {}
    for size in sizes:
        expected = proof.kept[f"{size}.{name}"]
        found = torch.from_numpy(outputs[str(size)])
        found = found.reshape(expected.shape) if original.pools else original.channels_first(found)
        distances[f"{size}.{name}"] = relative(found, expected)
    own = max(row.original_float32 for row in proof.rows if row.output == name)
    proof.second = {
        "who": f"TensorFlow {outputs['version']}, float32, in a process of its own",
        "relative": distances,
        "expected": f"at most {FLOOR:g} or {FLOAT32_TIMES:g} times the stored graph's own float32 distance, {own:.1e}",
    }
    worst = max(distances.values())
    if not worst <= max(FLOOR, FLOAT32_TIMES * own):
        raise ConvertError(
            f"TensorFlow's {name} is {worst:.1e} from the stored graph as it is executed here, its own float32 is "
            f"{own:.1e} from float64; please report it",
            where=original.saved.folder,
        )


def _run(python: str, original: Original, inputs: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray[Any, Any]]:
    with tempfile.TemporaryDirectory(prefix="remedis-") as scratch:
        folder = Path(scratch)
        job = {
            "called": original.found.way.origin,
            "tags": list(original.saved.tags),
            "output": original.found.output,
        }
        write_json(folder / "job.json", job)
        laid_out = {name: original.laid_out(x).contiguous().numpy() for name, x in inputs.items()}
        np.savez(folder / "inputs.npz", **laid_out)  # type: ignore[arg-type]
        words = (
            str(original.saved.folder),
            *(str(folder / name) for name in ("job.json", "inputs.npz", "outputs.npz")),
        )
        run_program(python, PROGRAM, *words)
        with np.load(folder / "outputs.npz", allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
