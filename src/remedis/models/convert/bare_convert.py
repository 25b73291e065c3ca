"""Convert a file of weights without a graph: names say what the tensors are, another library says what they compute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from remedis.console import QUIET, Console
from remedis.data.files import sha256
from remedis.errors import ConvertError
from remedis.models import zoo
from remedis.models.architectures import BIT_RANGE, build_empty
from remedis.models.card import Facts
from remedis.models.checkpoint import new_folder, refuse_used, write
from remedis.models.contract import Contract, Range
from remedis.models.convert.bare import Bare, open_bare
from remedis.models.convert.decide import CIFAR_SIZE, SIZES, SMALL_SIZES, network_of
from remedis.models.convert.left_out import in_words
from remedis.models.convert.names import Named, Style, find_named
from remedis.models.convert.other_library import caution, witness_of
from remedis.models.encoder import Encoder
from remedis.models.proof import Proof, Witness, compare, refuse_apart
from remedis.models.proof import write as write_proof
from remedis.models.store import Store, home

UNIT_RANGE = (0.0, 1.0)


def convert_bare(
    source: Path,
    out: Path,
    *,
    name: str | None = None,
    input_range: Range | None = None,
    facts: Facts | None = None,
    size: int | None = None,
    prefix: str | None = None,
    console: Console = QUIET,
) -> Encoder:
    """Write a checkpoint of a file of weights, with its proof, and return its encoder.

    Args:
        source: An npz, HDF5, safetensors or PyTorch file.
        out: Folder to write, new or empty.
        name: What people will call it; the file's name without it.
        input_range: The range that images have; [0, 1] without it.
        facts: What is known about the weights; known files are recognised by their hashes without it.
        size: Side of the square that images are resized to; 224 without it, 32 for a network with the small stem.
        prefix: What comes before the network's names, where the file holds several.
        console: Where progress goes.

    Raises:
        ConvertError: The file is damaged, needs pickle, or holds another network.
        FolderError: `out` is used.
        InputError: There is no such file.
        MissingExtraError: HDF5 needs h5py.
        StoppedError: The disk is full; nothing is left half-written.
    """
    refuse_used(out)
    with open_bare(source) as bare:
        named = _named(bare, prefix)
        network_is = named.architecture
        console.say(f"{source}: {bare.kind}, {named.place.style.words} · {network_is.name}")
        weights = _weights(bare, named)
        contract = _contract(named, input_range, size)
        network = network_of(network_is, contract, weights)
        witness = witness_of(bare, named, weights, contract, network)
    digest = sha256(source)
    about = {
        "kind": bare.kind,
        "names": named.place.style.words,
        "prefix": named.place.prefix,
        "files": {source.name: digest},
        "left_out": {reason: len(names) for reason, names in named.left_out.items()},
    }
    proof = Proof(witness=witness.name, original=about)
    compare(proof, witness, network, SMALL_SIZES if network_is.small_stem else SIZES, contract, console)
    refuse_apart(proof, source)
    encoder = Encoder(
        network, contract, name or source.name.split(".")[0], network=network_is.name,
        facts=_facts(facts or _known(source.name, digest), bare, named, contract, witness, about),
    )  # fmt: skip
    with new_folder(out) as scratch:
        write(encoder, scratch)
        write_proof(proof, scratch, weights_sha256=encoder.hash, contract=contract)
    return encoder


def _named(bare: Bare, prefix: str | None) -> Named:
    try:
        return find_named(bare.shapes, prefix)
    except ConvertError as error:
        raise ConvertError(str(error), where=bare.path) from error


def _weights(bare: Bare, named: Named) -> dict[str, Tensor]:
    """Return the weights by our names, as stored but for the order of the axes and their precision."""
    weights = {}
    for name, expected in build_empty(named.architecture, Contract(), final_norm=named.final_norm).state_dict().items():
        if name in named.theirs:
            weights[name] = _laid_out(bare.read(named.theirs[name]), expected, named.place.style)
        else:
            weights[name] = torch.zeros((), dtype=torch.int64)  # how often batch norms have seen a batch: not used
    return weights


def _laid_out(value: Tensor, expected: Tensor, style: Style) -> Tensor:
    if not style.last_axis_out:
        return value
    return value.permute(3, 2, 0, 1).contiguous() if expected.ndim == 4 else value.flatten()


def _contract(named: Named, given: Range | None, size: int | None) -> Contract:
    """Return what images are: BiT's program says it, for ResNet-v1 nothing in the file does."""
    low_high = given or UNIT_RANGE
    if named.architecture.family == "bit":
        return Contract(
            size=size or Contract.size,
            range=low_high,
            range_source="declared",
            inside=BIT_RANGE,
            map="after-norm" if named.final_norm else "before-norm",
        )
    return Contract(
        size=size or (CIFAR_SIZE if named.architecture.small_stem else Contract.size),
        range=low_high,
        range_source="declared" if given else "assumed",
        inside=low_high,
        padding="torch",
    )


def _known(file: str, digest: str) -> Facts | None:
    """Return what the zoo knows of a file, by its published hash or by that of its first download."""
    store = Store(home())
    for entry in zoo.ENTRIES.values():
        if digest in {*entry.files.values(), *store.recorded(entry.name).values()}:
            return zoo.facts(entry, {file: digest}, address="a file that was given")
    return None


def _facts(
    known: Facts | None, bare: Bare, named: Named, contract: Contract, witness: Witness, about: Mapping[str, Any]
) -> Facts:
    """Return what the card says: what is known of the file, and how it was converted."""
    digest = about["files"][bare.path.name]
    known = known or Facts(source=f"Converted from {bare.path.name} (SHA-256 {digest}), {named.place.style.words}")
    notes = (*known.notes, *_notes(bare, named, contract, witness))
    return replace(known, notes=notes, extra={**known.extra, "conversion": dict(about)})


def _notes(bare: Bare, named: Named, contract: Contract, witness: Witness) -> Iterator[str]:
    """Yield what a user of the weights should know of the conversion."""
    if (cautious := caution(witness)) is not None:
        yield cautious
    if named.architecture.family == "resnet":
        if contract.range_source == "assumed":
            yield (
                "range: assumed. Nothing in the file tells which values images have; [0, 1] was taken. If you know "
                "better, convert it again with --range"
            )
        yield (
            "Weights that were trained on images normalised by a mean and a deviation for each channel need images "
            "normalised so, which this network does not do; nothing in the file tells"
        )
        if named.architecture.small_stem:
            yield "The first kernel has 3 px: the stem was taken as SimCLR's for small images, stride 1 and no pool"
        else:
            yield "The stem's pool pads as torch does it; weights from TensorFlow need the padding that is used there"
    if named.place.style.key == "timm":
        yield "timm standardises kernels with eps 1e-8; Google's 1e-10, which BiT was trained with, was taken"
    types = {bare.types[name] for name in named.theirs.values()}
    if types - {"float32"}:
        yield f"The file holds {', '.join(sorted(types))}; the checkpoint holds float32"
    if named.left_out:
        yield f"Left out: {in_words(named.left_out)}"
