"""A fitted probe on disk: safetensors for the numbers, JSON for what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

from remedis.data import manifest
from remedis.data.files import differences, read_json, scratch_folder
from remedis.errors import CheckpointError, FolderError, InputError
from remedis.evaluate.logistic import Features, Logistic
from remedis.evaluate.metrics import Floats

CONFIG_NAME = "config.json"
MODEL_NAME = "model.safetensors"
FORMAT = 1
_ARRAYS = ("coefficients", "intercept", "mean", "scale")


@dataclass(frozen=True)
class Saved:
    """A probe's folder, opened.

    Attributes:
        folder: Where it lies.
        config: What `config.json` says.
        models: Label to its logistic regression.
    """

    folder: Path
    config: dict[str, Any]
    models: dict[str, Logistic]

    @property
    def width(self) -> int:
        """Length of the embeddings that it takes."""
        return len(next(iter(self.models.values())).mean)

    def scores(self, features: Features) -> dict[str, Floats]:
        """Return each score column's name and values (n,)."""
        found: dict[str, Floats] = {}
        for entry in self.config["labels"]:
            found |= columns_of(entry["score_columns"], self.models[entry["label"]].scores(features))
        return found


def columns_of(names: list[str], scores: Floats) -> dict[str, Floats]:
    """Return scores (n,) or (n, K) under one name a column."""
    return dict(zip(names, scores.reshape(len(scores), -1).T, strict=True))


def save_models(models: Mapping[str, Logistic], path: Path) -> None:
    """Write every label's arrays as `LABEL/coefficients`, `/intercept`, `/mean`, `/scale`, all float64."""
    arrays = {
        f"{label}/{name}": np.ascontiguousarray(getattr(model, name), dtype=np.float64)
        for label, model in models.items()
        for name in _ARRAYS
    }
    path.write_bytes(to_bytes(arrays))


def load(folder: Path) -> Saved:
    """Return the probe that `remedis probe` wrote into a folder.

    Raises:
        InputError: There is no such folder, or it holds no probe.
        CheckpointError: Its weights are missing or damaged, or of a newer version.
    """
    if not folder.is_dir():
        raise InputError("there is no such folder; remedis probe makes one", where=folder)
    if not (folder / CONFIG_NAME).is_file():
        raise InputError(f"a probe's folder was expected, it has no {CONFIG_NAME}; run remedis probe", where=folder)
    config = read_json(folder / CONFIG_NAME)
    if not isinstance(config, dict) or config.get("kind") != "probe":
        raise InputError(f"a probe was expected, {CONFIG_NAME} is of something else", where=folder)
    if not isinstance(config.get("format"), int) or config["format"] > FORMAT:
        raise CheckpointError(
            f"the probe has format {config.get('format')}, this version reads {FORMAT}; update remedis", where=folder
        )
    arrays = _arrays(folder)
    try:
        return Saved(folder, config, {entry["label"]: _model(entry, arrays) for entry in config["labels"]})
    except (KeyError, TypeError) as error:
        message = f"{CONFIG_NAME} and {MODEL_NAME} do not agree ({error} is missing); run remedis probe again"
        raise CheckpointError(message, where=folder) from error


def _arrays(folder: Path) -> dict[str, Floats]:
    try:
        return load_file(folder / MODEL_NAME)
    except FileNotFoundError as error:
        raise CheckpointError(f"{MODEL_NAME} is missing; run remedis probe again", where=folder) from error
    except SafetensorError as error:
        raise CheckpointError(f"{MODEL_NAME} is damaged ({error}); run remedis probe again", where=folder) from error


def _model(entry: Mapping[str, Any], arrays: Mapping[str, Floats]) -> Logistic:
    coefficients, intercept, mean, scale = (arrays[f"{entry['label']}/{name}"] for name in _ARRAYS)
    return Logistic(coefficients, intercept, mean, scale, entry["strength"], entry["converged"])


def holds(folder: Path, job: Mapping[str, Any]) -> bool:
    """Return whether a folder holds the probe of this very job.

    Raises:
        FolderError: It holds another, or something else; names what differs.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    config = read_json(folder / CONFIG_NAME) if (folder / CONFIG_NAME).is_file() else None
    if not isinstance(config, dict) or config.get("kind") != "probe":
        raise FolderError("exists and was not made by this command; choose another --out", where=folder)
    differing = differences(config.get("job", {}), job)
    if differing:
        raise FolderError(
            f"the folder holds another job ({'; '.join(differing)}); choose another --out or remove it", where=folder
        )
    return True


@contextmanager
def written(folder: Path) -> Iterator[Path]:
    """Yield a scratch folder beside `folder`; it takes its place on success and is removed on failure.

    Raises:
        StoppedError: The disk is full; nothing is left.
    """
    with scratch_folder(folder) as scratch:
        yield scratch


def with_model(table: pa.Table, *, encoder: str, method: str, classes: Mapping[str, Sequence[str]]) -> pa.Table:
    """Return predictions whose metadata names the model and each label's classes, of two the positive one last."""
    model = {"encoder": encoder, "method": method, "classes": {label: list(names) for label, names in classes.items()}}
    return manifest.with_facts(table, manifest.facts_of(table) | {"model": model})


def predictions(table: pa.Table, scores: Mapping[str, Floats], seen: list[str]) -> pa.Table:
    """Return the manifest's columns with score columns and `seen` behind them.

    A column of the manifest that has the name of one of these gives way. NaN is written as null.
    """
    names = [name for name in table.column_names if name not in (*scores, "seen")]
    table = table.select(names)
    for name, values in scores.items():
        table = table.append_column(name, pa.array(values, pa.float64(), from_pandas=True))
    return table.append_column("seen", pa.array(seen, pa.string()))
