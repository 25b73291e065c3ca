"""An encoder as a TensorFlow SavedModel under the original's contract, written and proved by TensorFlow itself.

What was made for the published files goes on with it: `hub.load(folder)(images)` takes (N, H, W, 3) and gives the map
(N, h, w, D), and tf_keras's `hub.KerasLayer(folder, trainable=True)` trains it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from remedis.data.files import write_json, write_text
from remedis.errors import CheckFailedError, UsageError
from remedis.models import bit, resnet
from remedis.models.architectures import Architecture, parse
from remedis.models.checkpoint import CARD, new_folder
from remedis.models.encoder import Encoder
from remedis.models.export.exported import Exported
from remedis.models.export.facts import card, metadata, notes
from remedis.models.export.proof import Difference, Expected, Outputs, differences, expected, refuse_far
from remedis.models.export.tensorflow_names import names
from remedis.models.staged import Staged
from remedis.models.tensorflow_python import require_tensorflow_python, run_program

PROGRAM = Path(__file__).with_name("tensorflow_program.py")
FACTS = "remedis.json"


def export(encoder: Encoder, out: Path) -> Exported:
    """Write the folder: the SavedModel, the facts and a card.

    Raises:
        UsageError: The network is one of timm's or has selective kernels.
        MissingExtraError: No Python with TensorFlow is known.
        CheckFailedError: TensorFlow computes something else.
    """
    network = _network(encoder)
    python = require_tensorflow_python("an export to a SavedModel")
    with new_folder(out) as scratch:
        held, facts = _write(encoder, network, python, scratch)
        witness = f"tensorflow {facts['tensorflow']}"
        said = _words(encoder)
        write_json(scratch / FACTS, {**metadata(encoder, held, witness), "trainable": facts["trainable"]})
        write_text(scratch / CARD, card(encoder, held, witness, use=_use(encoder), library="tensorflow-hub", more=said))
        files = sorted(path.relative_to(scratch) for path in scratch.rglob("*") if path.is_file())
    low, high = encoder.contract.range
    return Exported(
        out, "savedmodel", tuple(out / file for file in files),
        takes=f"images (N, H, W, {encoder.contract.channels}) float32 in [{low:g}, {high:g}]",
        gives=f"map (N, h, w, {encoder.width}), {encoder.contract.map}", witness=witness, held=held,
        notes=(*notes(encoder), *said), use=f"import tensorflow_hub; model = tensorflow_hub.load({str(out)!r})",
    )  # fmt: skip


def _network(encoder: Encoder) -> Architecture:
    """Return the network taken apart.

    Raises:
        UsageError: It is not one that this format is made for.
    """
    network = parse(encoder.network)
    if network is None or network.selective:
        what = "a network of timm's" if network is None else "a ResNet with selective kernels"
        raise UsageError(f"{encoder.network} is {what}, which is not written as a SavedModel; choose --format onnx")
    return network


def _write(
    encoder: Encoder, network: Architecture, python: str, folder: Path
) -> tuple[tuple[Difference, ...], dict[str, Any]]:
    """Write the SavedModel into `folder`, proved; return how far it is off, and what TensorFlow said of it."""
    job = folder / "job"
    job.mkdir()
    wanted = expected(encoder)
    pairs = list(names(network, final_norm=encoder.contract.map == "after-norm"))
    arrays: dict[str, Any] = _arrays(encoder, [ours for ours, _ in pairs])
    np.savez(job / "weights.npz", **arrays)
    write_json(job / "job.json", _job(encoder, network, [theirs for _, theirs in pairs], len(wanted)))
    for number, images in enumerate(_inputs(encoder, wanted)):
        np.save(job / f"images_{number}.npy", images)
    run_program(python, PROGRAM, str(job))
    facts: dict[str, Any] = json.loads((job / "done.json").read_text(encoding="utf-8"))
    held = differences(_found(job), wanted)
    refuse_far("the SavedModel", held)
    trainable = sum(_trainable(theirs) for _, theirs in pairs)
    if facts["trainable"] != trainable:
        raise CheckFailedError(
            f"TensorFlow finds {facts['trainable']} trainable variables in the SavedModel, {trainable} were expected"
        )
    for path in (job / "saved_model").iterdir():
        path.replace(folder / path.name)
    shutil.rmtree(job)
    return held, facts


def _arrays(encoder: Encoder, ours: Iterable[str]) -> dict[str, np.ndarray[Any, Any]]:
    """Return the weights as TensorFlow has them, by number: float32, kernels (h, w, in, out)."""
    weights = encoder.weights()
    found = (weights[name].detach().to("cpu", torch.float32).numpy() for name in ours)
    return {
        str(number): np.ascontiguousarray(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array)
        for number, array in enumerate(found)
    }


def _trainable(name: str) -> bool:
    return not name.endswith(("moving_mean", "moving_variance"))


def _job(encoder: Encoder, network: Architecture, variables: Iterable[str], batches: int) -> dict[str, Any]:
    """Return what TensorFlow's program has to know."""
    contract, backbone = encoder.contract, encoder.backbone
    assert isinstance(backbone, Staged)
    is_bit = network.family == "bit"
    return {
        "family": network.family,
        "units": (bit.UNITS if is_bit else resnet.UNITS)[network.depth],
        "bottleneck": network.depth not in resnet.BASIC,
        "small_stem": network.small_stem,
        "padding": contract.padding,
        "channels": contract.channels,
        "scale": backbone.scale,
        "shift": backbone.shift,
        "kernel_eps": contract.kernel_eps if is_bit and contract.kernels == "raw" else None,
        "norm_eps": contract.norm_eps,
        "resize": contract.resize,
        "final_norm": contract.map == "after-norm",
        "variables": [(name, _trainable(name)) for name in variables],
        "batches": batches,
    }


def _inputs(encoder: Encoder, wanted: Iterable[Expected]) -> Iterable[np.ndarray[Any, Any]]:
    """Yield the images in the contract's range, (N, H, W, C) float32."""
    low, high = encoder.contract.range
    for batch in wanted:
        x = batch.images.double() * (high - low) + low
        yield np.ascontiguousarray(x.to(torch.float32).permute(0, 2, 3, 1).numpy())


def _found(job: Path) -> Callable[[Tensor], Outputs]:
    """Return a function that gives the maps that TensorFlow's program wrote, batch after batch."""
    numbers = iter(range(1000))

    def run(images: Tensor) -> Outputs:
        found = torch.from_numpy(np.load(job / f"map_{next(numbers)}.npy", allow_pickle=False)).permute(0, 3, 1, 2)
        return {"features": found, "embedding": found.mean(dim=(2, 3))}

    return run


def _words(encoder: Encoder) -> tuple[str, ...]:
    """Return what is particular to this export."""
    contract = encoder.contract
    said = []
    if contract.pool == "original":
        said.append(
            "The original pooled its output itself; this one gives the map that its pooling consumed, of rank 4. "
            "Take its mean over height and width."
        )
    if contract.kernels == "ready" and isinstance(encoder.backbone, bit.BiT):
        said.append("Kernels were stored standardised and are used as they are; training changes them as such.")
    if isinstance(encoder.backbone, resnet.ResNet):
        said.append("Batch norms use their running statistics, in training too.")
    return tuple(said)


def _use(encoder: Encoder) -> str:
    """Return the lines that open the folder, in Markdown."""
    low, high = encoder.contract.range
    return "\n".join(
        [
            "```python",
            "import tensorflow_hub as hub",
            "",
            f'features = hub.load("DIR")(images)  # this folder; images (N, H, W, {encoder.contract.channels}) float32 '
            f"in [{low:g}, {high:g}]",
            f"embedding = features.numpy().mean((1, 2))  # (N, {encoder.width})",
            "```",
            "",
            f'The map is of the kind `{encoder.contract.map}`. `hub.KerasLayer("DIR", trainable=True)` trains it; with '
            "TensorFlow from 2.16 on, tensorflow_hub needs the package tf-keras for that.",
        ]
    )
