"""How a pretraining was made: each setting with where it comes from, facts, the command, and what to cite."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from remedis import __version__
from remedis.options.pretrain import Pretrain
from remedis.recipes.choices import Choice
from remedis.recipes.pretraining import RECIPES, Pretraining
from remedis.report.naming import condition_shown, path_shown
from remedis.report.numbers import counted
from remedis.report.run_folder import Run
from remedis.report.run_methods import citations, paragraph

Plain = dict[str, Any]
GIVEN, RECIPE, OFFICIAL, OURS = "command line", "recipe", "official default", "ours"
_PATHS = ("manifest", "out", "root", "encoder")
_WARM_UP = "a tenth of the run, which is not longer than the official 10 epochs"


def made(run: Run, *, names: bool, report: Sequence[str]) -> Plain:
    """Return the last section of the page.

    Args:
        run: The opened run.
        names: Whether whole paths and identifying values are shown.
        report: The words of the command that makes the page.
    """
    return {
        "settings": settings(run),
        "facts": [
            {"id": "made-encoder", "title": "Encoder", "facts": _encoder(run, names=names)},
            {"id": "made-data", "title": "Data", "facts": _data(run, names=names)},
            {"id": "made-versions", "title": "Versions and machine", "facts": _versions(run)},
        ],
        "commands": [shlex.join(words) for words in (command(run, names=names), report) if words],
        "methods": paragraph(run),
        "citations": citations(run),
    }


def settings(run: Run) -> list[Plain]:
    """Return each setting: its name, value, where the value comes from, and why it is that, where that is known."""
    recipe, moot = RECIPES.get(str(run.options.get("recipe")), {}), _without_effect(run)
    defaults = {field.name: field.default for field in dataclasses.fields(Pretraining)}
    found = []
    for name, default in defaults.items():
        if name in run.job:
            value = run.job[name]
            source, reason = _origin(name, value, run.options, recipe, default)
            reason = f"without effect, {moot[name]}" if name in moot else reason
            found.append({"name": name, "value": value, "source": source, "reason": reason})
    return found


def _origin(
    name: str, value: Any, options: Mapping[str, Any], recipe: Mapping[str, Choice], default: Any
) -> tuple[str, str]:
    """Return where a value comes from and its reason."""
    if options.get(name) is not None:
        return GIVEN, ""
    if name in recipe and recipe[name].value == value:
        return RECIPE, recipe[name].reason
    if name == "warmup_epochs" and value != default:
        return OURS, _WARM_UP
    return (OFFICIAL if value == default else OURS), ""


def _without_effect(run: Run) -> dict[str, str]:
    """Return settings that changed nothing in this run, and why."""
    job = run.job
    found: dict[str, str] = {}
    if run.options.get("encoder") is not None:
        found |= dict.fromkeys(("use_bit", "resnet_depth", "width_multiplier"), "the network was named (--encoder)")
    if str(job["network"]).startswith("bit-"):
        found |= dict.fromkeys(("batch_norm_decay", "global_bn"), "the network has no batch norms")
    if job.get("optimizer") not in ("lars", "momentum"):
        found["momentum"] = "only lars and momentum have one"
    if job.get("head_proj_mode") != "nonlinear":
        found["num_nlh_layers"] = "only a nonlinear head has such layers"
    if job["train_steps"]:
        found["train_epochs"] = "the steps were given"
    return found


def command(run: Run, *, names: bool) -> list[str]:
    """Return the words of the command that started the run, every option that was not left at its default."""
    options, processes = run.options, run.facts.get("processes")
    if "manifest" not in options:
        return []
    words = ["remedis", "pretrain", path_shown(options["manifest"], names=names)]
    if isinstance(processes, int) and processes > 1:
        words[:1] = ["torchrun", "--nproc-per-node", str(processes), "-m", "remedis"]
    for field in dataclasses.fields(Pretrain):
        value = options.get(field.name)
        if field.name not in ("manifest", "out") and value not in (None, field.default, []):
            words += _words(field.name, value, names=names)
    return [*words, "--out", path_shown(options.get("out", "run"), names=names)]


def _words(name: str, value: Any, *, names: bool) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if isinstance(value, list | tuple):
        return [word for each in value for word in (flag, condition_shown(str(each), names=names))]
    return [flag, path_shown(value, names=names) if name in _PATHS else str(value)]


def _fact(name: str, value: Any, *, code: bool = False) -> list[Plain]:
    return [] if value in (None, "", [], {}) else [{"name": name, "value": str(value), "code": code}]


def _encoder(run: Run, *, names: bool) -> list[Plain]:
    card, options = run.card, run.options
    parameters = card.get("parameters")
    start = options.get("encoder")
    return [
        *_fact("network", run.job["network"]),
        *_fact("started from", path_shown(start, names=names) if start else "random weights of the seed"),
        *_fact("hash of the weights at the start (SHA-256)", run.job.get("encoder_hash"), code=True),
        *_fact("newest checkpoint", card.get("name")),
        *_fact("source in its card", card.get("source")),
        *_fact("hash of its weights (SHA-256)", card.get("weights_sha256"), code=True),
        *_fact("parameters", f"{parameters:,}" if isinstance(parameters, int) else None),
        *_fact("length of an embedding", card.get("width")),
        *_fact("licence of the weights", card.get("licence")),
        *_fact("notes of its card", " ".join(str(note) for note in card.get("notes") or ())),
        *_fact("checkpoints in the folder", " · ".join(_checkpoints(run.path))),
    ]


def _checkpoints(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("*/config.json") if not path.parent.name.startswith("_"))


def _data(run: Run, *, names: bool) -> list[Plain]:
    job, options = run.job, run.options
    splits = {"train": "the part train, or all rows where there are no parts", "all": "all of them"}
    return [
        *_fact("manifest", path_shown(options.get("manifest") or "", names=names)),
        *_fact("hash of the manifest (SHA-256)", job.get("manifest_hash"), code=True),
        *_fact(
            "rows kept", " and ".join(condition_shown(str(text), names=names) for text in options.get("where") or ())
        ),
        *_fact("images trained on", counted(int(job["images"]), "images")),
        *_fact("parts trained on", splits.get(str(job.get("splits")), job.get("splits"))),
        *_fact("profile", job.get("profile")),
        *_fact("seed", job.get("seed")),
        *_fact("watched part", options.get("eval_split") if run.looks else None),
        *_fact("epochs between looks", options.get("knn_epochs") if run.looks else None),
    ]


def _versions(run: Run) -> list[Plain]:
    versions = run.facts.get("versions") or {}
    return [
        *_fact("trained with", " · ".join(f"{name} {version}" for name, version in versions.items())),
        *_fact("computed in", {"bf16": "bfloat16", "fp32": "float32"}.get(str(run.job.get("precision")))),
        *_fact("processes", run.facts.get("processes")),
        *_fact("threads a process", run.facts.get("threads")),
        *_fact("page made with", f"remedis {__version__}"),
    ]
