"""A checkpoint's folder: config.json (timm's keys on top), model.safetensors, README.md."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from remedis import __version__
from remedis.data.files import scratch_folder, write_json, write_text
from remedis.errors import CheckpointError, FolderError, InputError
from remedis.models.architectures import Architecture, architecture, build_empty, parse
from remedis.models.bit import BiT
from remedis.models.card import Facts, Subject, card
from remedis.models.contract import Contract
from remedis.models.encoder import Backbone, Encoder, hash_of
from remedis.models.timm_difference import difference_in_timm
from remedis.models.timm_encoder import PREFIX, TimmBackbone, open_folder
from remedis.models.weights import WEIGHTS, one_precision, read_weights, refuse_changed, refuse_other

FORMAT_VERSION = 1
CONFIG, CARD = "config.json", "README.md"
LARGEST_CONFIG = 1 << 24  # bytes; a config.json has a few thousand


def save(encoder: Encoder, folder: Path) -> Path:
    """Write a checkpoint and return its folder.

    Raises:
        FolderError: The folder exists and is not empty.
        StoppedError: The disk is full; nothing is left half-written.
    """
    with new_folder(folder) as scratch:
        write(encoder, scratch)
    return folder


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a scratch folder beside `folder`; it takes its place on success and is removed on failure.

    Raises:
        FolderError: The folder exists and is not empty.
        StoppedError: The disk is full.
    """
    refuse_used(folder)
    with scratch_folder(folder) as scratch:
        yield scratch


def refuse_used(folder: Path) -> None:
    """Raise if `folder` is there and not empty.

    Raises:
        FolderError: Says so.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderError("exists and is not empty; choose another --out or remove it", where=folder)
    there = next(parent for parent in folder.resolve().parents if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise FolderError(
            f"cannot be written: {there} is no folder that you may write to; choose another --out", where=folder
        )


def write(encoder: Encoder, folder: Path) -> None:
    """Write the checkpoint's three files into an existing folder."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in encoder.weights().items()}
    digest = hash_of(weights)
    timm_name = _timm_name(encoder)
    difference = None
    if timm_name is not None and isinstance(encoder.backbone, BiT):
        difference = difference_in_timm(encoder.backbone)
    subject = Subject(
        name=encoder.name, network=encoder.network, contract=encoder.contract, width=encoder.width,
        parameters=encoder.parameters_count, weights_sha256=digest,
        timm_name=timm_name, timm_difference=difference,
    )  # fmt: skip
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    write_json(folder / CONFIG, _config(encoder, subject))
    write_text(folder / CARD, card(subject, encoder.facts))


def _timm_name(encoder: Encoder) -> str | None:
    if isinstance(encoder.backbone, TimmBackbone):
        return encoder.network.removeprefix(PREFIX)
    network = parse(encoder.network)
    return network.timm_name(encoder.contract) if network else None


def _config(encoder: Encoder, subject: Subject) -> dict[str, Any]:
    """Return timm's keys and, under `remedis`, ours; where timm lacks the network our name stands on top."""
    return {
        "architecture": subject.timm_name or encoder.network,
        "num_classes": 0,
        "num_features": encoder.width,
        **timm_keys(encoder),
        "remedis": {
            "format_version": FORMAT_VERSION,
            "name": encoder.name,
            "network": encoder.network,
            "contract": encoder.contract.to_json(),
            "width": encoder.width,
            "parameters": subject.parameters,
            "weights_sha256": subject.weights_sha256,
            "timm_difference": subject.timm_difference,
            **encoder.facts.to_json(),
            "versions": {"remedis": __version__, "torch": torch.__version__},
        },
    }


def timm_keys(encoder: Encoder) -> dict[str, Any]:
    """Return the keys of config.json that timm reads beside the architecture."""
    backbone, contract = encoder.backbone, encoder.contract
    if isinstance(backbone, TimmBackbone):
        mean, std = backbone.mean.flatten().tolist(), backbone.std.flatten().tolist()
        model_args = {"img_size": backbone.fixed_size} if backbone.fixed_size else {}
    else:  # timm normalises images in [0, 1]: (x - mean) / std is what the first convolution sees
        mean, std = (
            [-backbone.shift / backbone.scale] * contract.channels,
            [1 / backbone.scale] * contract.channels,
        )
        model_args = {}
    side = contract.size
    return {
        **({"global_pool": "avg"} if not isinstance(backbone, TimmBackbone) else {}),
        **({"model_args": model_args} if model_args else {}),
        "pretrained_cfg": {
            "input_size": [contract.channels, side, side],
            "fixed_input_size": isinstance(backbone, TimmBackbone) and backbone.fixed_size is not None,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": {"squash": "squash", "pad": "border", "crop": "center"}[contract.fit],
            "mean": mean,
            "std": std,
            "num_classes": 0,
            **_timm_places(encoder),
        },
    }


def _timm_places(encoder: Encoder) -> dict[str, Any]:
    """Return where timm finds the first convolution and the classifier."""
    if isinstance(encoder.backbone, TimmBackbone):
        own: dict[str, Any] = dict(getattr(encoder.backbone.model, "pretrained_cfg", None) or {})
        return {key: own[key] for key in ("pool_size", "first_conv", "classifier") if own.get(key) is not None}
    is_bit = isinstance(encoder.backbone, BiT)
    return {"first_conv": "stem.conv" if is_bit else "conv1", "classifier": "head.fc" if is_bit else "fc"}


def load_checkpoint(folder: Path) -> Encoder:
    """Return the encoder that a folder holds, in evaluation mode.

    Raises:
        CheckpointError: A file is missing or damaged, the weights are another network's, or the format is
            newer.
    """
    config = read_config(folder)
    ours = config.get("remedis")
    try:
        return (_load_timms(folder, config) if ours is None else _load_ours(folder, ours)).eval()
    except CheckpointError as error:
        if str(error).startswith(str(folder)):
            raise
        raise CheckpointError(str(error), where=folder / CONFIG) from error


def _load_timms(folder: Path, config: Mapping[str, Any]) -> Encoder:
    backbone, contract = open_folder(folder, read_weights(folder))
    return Encoder(backbone, contract, folder.name, network=PREFIX + str(config.get("architecture")))


def read_config(folder: Path) -> dict[str, Any]:
    """Return what config.json holds.

    Raises:
        CheckpointError: There is none, it is no JSON object, or a newer remedis wrote it.
    """
    path = folder / CONFIG
    if not path.exists():
        raise CheckpointError(f"there is no {CONFIG}; a checkpoint holds {CONFIG} and {WEIGHTS}", where=folder)
    if path.stat().st_size > LARGEST_CONFIG:
        raise CheckpointError(f"has {path.stat().st_size} bytes, a few thousand were expected", where=path)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CheckpointError(f"JSON was expected, found something else ({error})", where=path) from error
    ours = config.get("remedis", {}) if isinstance(config, dict) else None
    if not isinstance(ours, dict):
        raise CheckpointError("a JSON object was expected, with an object under remedis", where=path)
    version = ours.get("format_version", FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise CheckpointError(
            f"format version {version}, this remedis reads up to {FORMAT_VERSION}; update remedis", where=path
        )
    return config  # type: ignore[no-any-return]


def _load_ours(folder: Path, ours: Mapping[str, Any]) -> Encoder:
    network_name = str(ours.get("network"))
    contract = Contract.from_json(_object(ours, "contract"))
    backbone: Backbone
    if network_name.startswith(PREFIX):
        weights = read_weights(folder)
        refuse_changed(folder, weights, ours.get("weights_sha256"))
        backbone, _ = open_folder(folder, weights)
    else:
        backbone = load_weights(architecture(network_name), contract, folder, ours.get("weights_sha256"))
    name = str(ours.get("name") or network_name)
    return Encoder(backbone, contract, name, network=network_name, facts=Facts.from_json(ours))


def _object(ours: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = ours.get(key)
    if not isinstance(value, dict):
        raise CheckpointError(f"remedis.{key} is {value!r}, an object was expected")
    return value


def load_weights(network: Architecture, contract: Contract, folder: Path, digest: str | None) -> Backbone:
    """Return a network with the weights of a folder; no weight is ever filled with anything else.

    Args:
        network: Which network.
        contract: What it holds to.
        folder: Where model.safetensors lies.
        digest: Hash that the weights must have; None asks for none.

    Raises:
        CheckpointError: They are missing, damaged or another network's.
    """
    weights = read_weights(folder)
    refuse_changed(folder, weights, digest)
    final_norm = "norm.weight" in weights if contract.map == "before-norm" else None
    backbone = build_empty(network, contract, final_norm=final_norm)
    refuse_other(folder / WEIGHTS, network.name, backbone.state_dict(), weights)
    backbone.load_state_dict(one_precision(weights), assign=True)
    return backbone


def is_checkpoint(folder: Path) -> bool:
    """Return whether a folder claims to be a checkpoint."""
    try:
        read_config(folder)
    except InputError:
        return False
    return True
