"""`remedis.load`: an encoder by the name or folder that a person types."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from remedis.errors import CheckpointError, nearest
from remedis.models import zoo
from remedis.models.architectures import Architecture, build_random, known_architectures, parse
from remedis.models.card import Facts
from remedis.models.checkpoint import CONFIG, load_checkpoint
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.store import Store, home
from remedis.models.timm_encoder import PREFIX, create


def load(
    name: str | Path,
    *,
    random_weights: bool = False,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
) -> Encoder:
    """Return an encoder in evaluation mode.

    Args:
        name: A checkpoint's folder (ours, or one that timm's `local-dir:` opens), the name of a model that is kept
            here (`remedis models list`), a network's name, or `timm:NAME`. A folder comes before a name.
        random_weights: Let `timm:NAME` or a network's name (`bit-r50x1`) start from random weights, of seed
            0.
        device: Where the weights go.
        dtype: Their precision; as stored (half precision widened to float32) without it.

    Raises:
        CheckpointError: There is no such encoder (names the nearest), it has no weights or is not here, or they are
            damaged. No connection is opened for a model that is not here.
        MissingExtraError: timm is needed and not installed.

    Warns:
        UserWarning: The weights are those that were published under two names.
    """
    encoder = open_encoder(name, random_weights=random_weights)
    if zoo.TWINS_CAUTION in encoder.facts.notes:
        warnings.warn(zoo.TWINS_CAUTION, stacklevel=2)
    return encoder.to(device=device, dtype=dtype).eval()


def open_encoder(name: str | Path, *, random_weights: bool = False) -> Encoder:
    """Return an encoder as `load` does, without a word about it: commands say what is to be said themselves."""
    return _find(str(name), random_weights=random_weights).eval()


def open_or_random(name: str, *, size: int, seed: int) -> Encoder:
    """Return an encoder to train: a checkpoint where there is one, else the network of that name with random weights.

    Args:
        name: Checkpoint's folder or name, a network's name, or `timm:NAME`.
        size: S of a network that has no checkpoint.
        seed: Of random weights.

    Raises:
        CheckpointError: There is neither.
    """
    network = parse(name)
    if network is not None and not Path(name).exists() and not Store(home()).has(name):
        return random_encoder(network, Contract(size=size), seed=seed)
    return open_encoder(name)


def known_names() -> list[str]:
    """Return the names that `load` understands beside folders and `timm:NAME`.

    They are published models, models that are kept here, and networks (without weights).
    """
    return [*zoo.names(), *(name for name in Store(home()).names() if zoo.find(name) is None), *known_architectures()]


def folder_of(name: str | Path) -> Path:
    """Return the folder of a checkpoint, by its path or by the name of a model that is kept here.

    Raises:
        CheckpointError: There is neither; a published model's line says how to get it.
    """
    folder = Path(name).expanduser()
    if folder.exists():
        return folder
    store = Store(home())
    if store.has(str(name)):
        return store.folder(str(name))
    if zoo.find(str(name)) is not None:
        raise CheckpointError(f"the model is not here; get it with remedis models download {name}", where=name)
    raise _unknown(str(name))


def random_encoder(network: Architecture, contract: Contract, *, seed: int) -> Encoder:
    """Return one of our networks with random weights that only `seed` decides."""
    backbone = build_random(network, contract, seed)
    return Encoder(backbone, contract, network.name, network=network.name, facts=random_facts(seed))


def random_timm_encoder(name: str, *, seed: int, size: int | None = None) -> Encoder:
    """Return timm's network `timm:NAME` with random weights that only `seed` decides."""
    backbone, contract = create(name.removeprefix(PREFIX), seed=seed, size=size)
    return Encoder(backbone, contract, name, network=name, facts=random_facts(seed))


def random_facts(seed: int) -> Facts:
    """Return what is to be said of random weights."""
    return Facts(source=f"Random weights, seed {seed}", licence="Apache-2.0", trained=False, extra={"seed": seed})


def _find(name: str, *, random_weights: bool) -> Encoder:
    if name.startswith(PREFIX):
        return _timm(name, random_weights=random_weights)
    folder = Path(name).expanduser()
    if folder.exists():
        return _folder(folder)
    store = Store(home())
    if store.has(name):
        return load_checkpoint(store.folder(name))
    if zoo.find(name) is not None:
        raise CheckpointError(f"the model is not here; get it with remedis models download {name}", where=name)
    network = parse(name)
    if network is None:
        raise _unknown(name)
    if random_weights:
        return random_encoder(network, Contract(), seed=0)
    raise CheckpointError(
        f"a network's name has no weights; remedis models init {name} --seed 0 --out DIR writes random ones, "
        "or add --random-weights",
        where=name,
    )


def _timm(name: str, *, random_weights: bool) -> Encoder:
    if random_weights:
        return random_timm_encoder(name, seed=0)
    backbone, contract = create(name.removeprefix(PREFIX))
    facts = Facts(source=f"timm's pretrained weights, {name.removeprefix(PREFIX)}")
    return Encoder(backbone, contract, name, network=name, facts=facts)


def _folder(folder: Path) -> Encoder:
    if not folder.is_dir():
        raise CheckpointError("is a file, a checkpoint's folder was expected", where=folder)
    if (folder / "saved_model.pb").exists() and not (folder / CONFIG).exists():
        raise CheckpointError(
            f"is a TensorFlow SavedModel, which is not opened; a checkpoint holds {CONFIG} and model.safetensors",
            where=folder,
        )
    return load_checkpoint(folder)


def _unknown(name: str) -> CheckpointError:
    if "/" in name or name.startswith((".", "~")):
        return CheckpointError("there is no such folder", where=name)
    hint = nearest(name, known_names())
    return CheckpointError(f"there is no such folder and no encoder of this name, {hint}", where=name)
