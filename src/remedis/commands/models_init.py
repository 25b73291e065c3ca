"""`remedis models init`: a checkpoint with random weights."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from remedis.console import QUIET, Console, Result
from remedis.data.files import differences
from remedis.data.profiles import profile as find_profile
from remedis.errors import FolderError, UsageError, nearest
from remedis.models.architectures import known_architectures, parse
from remedis.models.checkpoint import is_checkpoint, load_checkpoint, read_config, save
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.load import random_encoder, random_timm_encoder
from remedis.models.timm_encoder import PREFIX
from remedis.options.models import ModelsInit

CIFAR_SIZE = 32


def run(options: ModelsInit, console: Console = QUIET) -> Result:
    """Write the checkpoint, or find that the folder holds it already.

    Raises:
        RemedisError: The network is unknown, an option does not fit it, or the folder holds something else.
    """
    _refuse_impossible(options)
    job = {name: value for name, value in asdict(options).items() if name != "out"}
    if options.out.is_dir() and is_checkpoint(options.out):
        encoder = _found(options.out, job)
        return _result(encoder, options, f"{options.out} is there already")
    encoder = _made(options)
    facts = replace(encoder.facts, extra={**encoder.facts.extra, "init": job})
    encoder.facts = facts
    save(encoder, options.out)
    return _result(encoder, options, f"wrote {options.out}")


def _refuse_impossible(options: ModelsInit) -> None:
    if not options.network.startswith(PREFIX) and parse(options.network) is None:
        hint = nearest(options.network, known_architectures())
        raise UsageError(f"there is no network {options.network!r}, {hint}")
    if options.image_size is not None and options.image_size < 1:
        raise UsageError(f"--image-size is {options.image_size}, at least 1 was expected")
    if not 0 <= options.seed < 2**63:
        raise UsageError(f"--seed is {options.seed}, a whole number from 0 to 2^63 - 1 was expected")
    if options.profile is not None:
        find_profile(options.profile)
    if options.padding == "tf" and not options.network.startswith("resnet"):
        raise UsageError(f"--padding tf is for resnet networks, {options.network} pads alike on all sides")


def _made(options: ModelsInit) -> Encoder:
    if options.network.startswith(PREFIX):
        encoder = random_timm_encoder(options.network, seed=options.seed, size=options.image_size)
        encoder.contract = replace(encoder.contract, profile=options.profile, fit=options.fit)
        return encoder
    network = parse(options.network)
    assert network is not None
    size = options.image_size or (CIFAR_SIZE if network.small_stem else Contract.size)
    contract = Contract(size=size, padding=options.padding, fit=options.fit, profile=options.profile)
    return random_encoder(network, contract, seed=options.seed)


def _found(folder: Path, job: dict[str, Any]) -> Encoder:
    """Return the encoder of a folder that this very command wrote."""
    extra = read_config(folder).get("remedis", {}).get("extra")
    if not isinstance(extra, dict) or not isinstance(extra.get("init"), dict):
        raise FolderError("holds another checkpoint; choose another --out or remove it", where=folder)
    differing = differences(extra["init"], job)
    if differing:
        message = f"holds another job ({'; '.join(differing)}); choose another --out or remove it"
        raise FolderError(message, where=folder)
    return load_checkpoint(folder)


def _result(encoder: Encoder, options: ModelsInit, done: str) -> Result:
    digest = encoder.hash
    text = (
        f"{done}: {encoder.name} · {encoder.parameters_count / 1e6:.1f} M parameters, random of seed "
        f"{options.seed} · {encoder.contract.size} px · {encoder.width} numbers an embedding · "
        f"weights {digest[:12]}\n"
        f"next: remedis embed IMAGES --encoder {options.out} --out emb"
    )
    data = {
        "out": str(options.out),
        "encoder": encoder.name,
        "network": encoder.network,
        "parameters": encoder.parameters_count,
        "width": encoder.width,
        "weights_sha256": digest,
        "contract": encoder.contract.to_json(),
    }
    return Result(text=text, data=data)
