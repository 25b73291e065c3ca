"""The exact commands that lead to a page, as they can be typed again."""

from __future__ import annotations

import os.path
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from remedis.data.embeddings import Embeddings
from remedis.evaluate.intervals import DRAWS
from remedis.evaluate.probe import Settings
from remedis.report.naming import condition_shown, path_shown
from remedis.report.probe_folder import ProbeFolder

_EMBED = ("profile", "image_size", "precision", "batch_size")
_DEFAULTS = {"draws": DRAWS, "folds": Settings.folds, "neighbours": Settings.neighbours}


def commands(probe: ProbeFolder, *, names: bool, report: Sequence[str]) -> list[str]:
    """Return the commands; without `names` with the last part of each path alone.

    Args:
        probe: The opened folder.
        names: Whether whole paths and identifying values are shown.
        report: The words of the command that made the page.
    """
    config = probe.config
    found = [_embed(probe, probe.train, "embeddings", names=names)]
    if config.get("test"):
        found.append(_embed(probe, probe.test, "test", names=names))
    found.append(_probe(probe, names=names))
    found.append(list(report))
    return [shlex.join(words) for words in found if words]


def _embed(probe: ProbeFolder, found: Embeddings | None, key: str, *, names: bool) -> list[str]:
    if found is None:
        return []
    job: Mapping[str, Any] = found.facts.get("job", {})
    if not {"manifest", "encoder"} <= set(job):
        return []
    words = ["remedis", "embed", path_shown(job["manifest"], names=names)]
    words += ["--encoder", path_shown(job["encoder"], names=names), "--out", _place(probe, key, names=names)]
    for option in _EMBED:
        if job.get(option) is not None:
            words += [f"--{option.replace('_', '-')}", str(job[option])]
    for condition in job.get("where", ()):
        words += ["--where", condition_shown(condition, names=names)]
    if job.get("dtype", "float32") != "float32":
        words += ["--dtype", str(job["dtype"])]
    return words


def _probe(probe: ProbeFolder, *, names: bool) -> list[str]:
    config = probe.config
    labels = ",".join(entry["label"] for entry in config["labels"])
    words = ["remedis", "probe", _place(probe, "embeddings", names=names), "--label", labels]
    if config.get("test"):
        words += ["--test", _place(probe, "test", names=names)]
    for option in ("cluster", "positive"):
        if config.get(option):
            words += [f"--{option}", str(config[option])]
    if config.get("exclude_class"):
        words += ["--exclude-class", ",".join(config["exclude_class"])]
    for condition in config.get("where", ()):
        words += ["--where", condition_shown(condition, names=names)]
    if config.get("methods") == ["logistic"]:
        words += ["--methods", "logistic"]
    for option, default in _DEFAULTS.items():
        if config.get(option, default) != default:
            words += ["--k" if option == "neighbours" else f"--{option}", str(config[option])]
    return [*words, "--seed", str(config["seed"]), "--out", path_shown(probe.path, names=names)]


def _place(probe: ProbeFolder, key: str, *, names: bool) -> str:
    """Return where embeddings lie, seen from where the probe's folder is named from."""
    return path_shown(os.path.normpath(probe.path / probe.config[key]), names=names)
