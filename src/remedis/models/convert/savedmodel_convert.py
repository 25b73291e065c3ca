"""Convert a SavedModel or a TF1 module: its own stored graph is the witness."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from remedis.console import QUIET, Console
from remedis.errors import ConvertError
from remedis.models import zoo
from remedis.models.architectures import build_empty
from remedis.models.card import Facts
from remedis.models.checkpoint import new_folder, refuse_used, write
from remedis.models.contract import Contract, Range
from remedis.models.convert.choices import USUAL, Choices
from remedis.models.convert.decide import Decision, decide, network_of
from remedis.models.convert.original import Original, find_network
from remedis.models.convert.tensorflow_witness import ask_tensorflow
from remedis.models.encoder import Encoder
from remedis.models.proof import Proof, compare, refuse_apart
from remedis.models.proof import write as write_proof
from remedis.models.savedmodel import open_savedmodel


def convert_savedmodel(
    source: Path,
    out: Path,
    *,
    name: str | None = None,
    input_range: Range | None = None,
    facts: Facts | None = None,
    size: int | None = None,
    choices: Choices = USUAL,
    console: Console = QUIET,
) -> Encoder:
    """Write a checkpoint that computes what a stored graph computes, with its proof, and return its encoder.

    Args:
        source: A SavedModel's or TF1 module's folder.
        out: Folder to write, new or empty.
        name: What people will call it; the source's name without it.
        input_range: The range that images have, where the graph leaves it open.
        facts: What is known about the weights; known files are recognised by their hashes without it.
        size: Side of the square that images are resized to, where the original leaves it free; 224 without it.
        choices: Which output, and whether TensorFlow is a second witness.
        console: Where progress goes.

    Raises:
        ConvertError: The files are damaged, or no network of ours computes what they compute.
        FolderError: `out` is used.
        StoppedError: The disk is full; nothing is left half-written.
    """
    refuse_used(out)
    try:
        encoder, proof = _proven(source, name, input_range, facts, size, choices, console)
    except ConvertError as error:
        if str(source) in str(error):
            raise
        raise ConvertError(str(error), where=source) from error
    with new_folder(out) as scratch:
        write(encoder, scratch)
        write_proof(proof, scratch, weights_sha256=encoder.hash, contract=encoder.contract)
    return encoder


def _proven(
    source: Path,
    name: str | None,
    input_range: Range | None,
    facts: Facts | None,
    size: int | None,
    choices: Choices,
    console: Console,
) -> tuple[Encoder, Proof]:
    """Return the encoder and its proof; nothing is written."""
    saved = open_savedmodel(source)
    original = Original(saved, find_network(saved, choices.output))
    network_is = original.found.layers.architecture
    console.say(
        f"{source}: {saved.kind} of TensorFlow {saved.version or 'unknown'} · {original.found.way.origin} · output "
        f"{original.found.output} · {network_is.name}"
    )
    weights = weights_of(original)
    decision = _decided(original, weights, input_range, size)
    contract = decision.contract
    network = network_of(network_is, contract, weights)
    hashes = saved.hashes()
    proof = Proof(witness=Original.name, original=_about(original, hashes))
    compare(proof, original, network, decision.sizes, contract, console)
    refuse_apart(proof, source)
    if choices.tensorflow:
        ask_tensorflow(proof, original, decision.sizes, contract.range)
    facts = _facts(facts, original, decision, hashes)
    name = name or source.resolve().name
    return Encoder(network, contract, name, network=network_is.name, facts=facts), proof


def weights_of(original: Original) -> dict[str, Tensor]:
    """Return the weights by our names, as stored but for the order of the axes.

    Raises:
        ConvertError: A shape is another than our network has.
    """
    layers = original.found.layers
    empty = build_empty(layers.architecture, Contract(), final_norm=layers.final_norm).state_dict()
    weights = {}
    for name, expected in empty.items():
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.zeros((), dtype=torch.int64)
        elif name in layers.sources:
            weights[name] = _laid_out(original.value(layers.sources[name]), expected)
        if not bool(weights[name].isfinite().all()):
            raise ConvertError(f"{name} holds values that are not finite", where=original.saved.folder)
        if weights[name].shape != expected.shape:
            raise ConvertError(
                f"{name} has the shape {tuple(weights[name].shape)}, {layers.architecture.name} has "
                f"{tuple(expected.shape)}; it is another network",
                where=original.saved.folder,
            )
    return weights


def _laid_out(value: np.ndarray[Any, Any], expected: Tensor) -> Tensor:
    """Return a kernel (h, w, in, out) as (out, in, h, w), and a norm's numbers as a vector."""
    tensor = torch.from_numpy(np.array(value, dtype=np.float32))  # a copy: what was read cannot be written to
    return tensor.permute(3, 2, 0, 1).contiguous() if expected.ndim == 4 and tensor.ndim == 4 else tensor.flatten()


def _decided(original: Original, weights: dict[str, Tensor], input_range: Range | None, size: int | None) -> Decision:
    wide = {name: value.double() if value.is_floating_point() else value for name, value in weights.items()}
    return decide(original, wide, input_range=input_range, size=size)


def _about(original: Original, hashes: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": original.saved.kind,
        "tensorflow": original.saved.version,
        "called": original.found.way.origin,
        "output": original.found.output,
        "outputs": list(original.found.graph.outputs),
        "pools_itself": original.pools,
        "size": original.size,
        "files": hashes,
    }


def _facts(given: Facts | None, original: Original, decision: Decision, hashes: dict[str, str]) -> Facts:
    """Return what the card says: what was given, or what the zoo knows of these files, and how it was converted."""
    known = (
        given
        or _known(hashes)
        or Facts(source=f"Converted from the {original.saved.kind} {original.saved.folder.name}")
    )
    notes = list(known.notes)
    if decision.contract.range_source == "assumed":
        notes.append(
            "range: assumed. Nothing in the original's files tells images in [0, 1] from images in [-1, 1]; [0, 1] was "
            "taken. If you know better, convert it again with --range"
        )
    if decision.contract.resize:
        notes.append(
            f"The original resizes its images to {decision.contract.resize} px inside (bilinear, without a filter "
            "against aliasing), and so does this network"
        )
    if original.halves:
        notes.append(
            "The original computes in half precision on the way. The comparison is with the same graph in full "
            "precision; what TensorFlow gives differs from both by that rounding"
        )
    if original.size:
        notes.append(f"The original takes images of {original.size} px only; at other sizes nothing was compared")
    conversion = {
        **_about(original, hashes),
        "candidates": {words: distance for words, distance in decision.tried.items() if distance != float("inf")},
        "distance": decision.distance,
    }
    return replace(known, notes=tuple(notes), extra={**known.extra, "conversion": conversion})


def _known(hashes: dict[str, str]) -> Facts | None:
    for entry in zoo.ENTRIES.values():
        ours = set(entry.files.values())
        if ours and all(digest in ours for digest in hashes.values()):
            return zoo.facts(entry, hashes, address="a folder that was given")
    return None
