"""What `remedis pretrain` left in a folder, opened: the job, the lines of its log, the picture of its first views."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remedis.data.files import read_json
from remedis.errors import InputError
from remedis.train.schedule import total_steps

RUN, METRICS, VIEWS, LAST = "run.json", "metrics.jsonl", "views.png", "last"
VERB = "pretrain"
ACCURACIES = ("knn_accuracy", "linear_accuracy")
MOST_VIEWS = 2**20
_IN_JOB = ("train_batch_size", "train_epochs", "train_steps", "images", "temperature", "loss_scale", "network")

Line = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """An opened run.

    Attributes:
        path: The folder.
        facts: What `run.json` says.
        lines: The values of the training's steps, each the mean of an interval, in the order of their steps.
        looks: What was found on watched rows, in the order of their steps.
        damaged: Lines of the log that are none, a last one that was cut short left out.
        cut: Whether the last line was cut short.
        not_finite: Steps whose loss is no finite number.
        card: What the newest checkpoint says of its weights; empty where there is none yet.
        views: The bytes of the picture of the first views, or None.
        no_views: Why there is no picture, in words.
    """

    path: Path
    facts: Mapping[str, Any]
    lines: list[Line]
    looks: list[Line]
    damaged: int
    cut: bool
    not_finite: list[int]
    card: Mapping[str, Any]
    views: bytes | None
    no_views: str

    @property
    def job(self) -> Mapping[str, Any]:
        """What decided the result."""
        job: Mapping[str, Any] = self.facts["job"]
        return job

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of the newest start; None is not given."""
        options: Mapping[str, Any] = self.facts.get("options") or {}
        return options

    @property
    def complete(self) -> bool:
        """Whether the run came to its end."""
        return self.facts.get("complete") is True

    @property
    def done(self) -> int:
        """Steps that are known to be done."""
        written = max((line["step"] for line in (*self.lines, *self.looks)), default=0)
        steps = self.facts.get("steps")
        return max(written, steps) if self.complete and isinstance(steps, int) else written

    @property
    def planned(self) -> int | None:
        """Steps of the whole run; None where the folder does not tell: pairs of patients' images, not yet done."""
        job = self.job
        if self.complete or job["train_steps"]:
            return self.done if self.complete else int(job["train_steps"])
        if job.get("multi_instance"):
            return None
        return total_steps(job["images"], job["train_batch_size"], job["train_epochs"])

    @property
    def steps_an_epoch(self) -> float | None:
        """Steps in which each image is seen once on average; None where the folder does not tell."""
        job = self.job
        if not job.get("multi_instance"):
            return float(job["images"] / job["train_batch_size"])
        return self.done / job["train_epochs"] if self.complete and not job["train_steps"] else None


def is_run(folder: Path) -> bool:
    """Return whether a folder looks like a run's."""
    return (folder / RUN).is_file()


def open_run(folder: Path) -> Run:
    """Return what a run's folder holds; a run that goes on, or was killed, can be opened too.

    Raises:
        InputError: `run.json` is damaged or of another verb.
    """
    facts = read_json(folder / RUN)
    job = facts.get("job") if isinstance(facts, dict) else None
    verb = facts.get("verb", VERB) if isinstance(facts, dict) else VERB
    if verb != VERB:
        raise InputError(
            f"the run of remedis {VERB} was expected, this is one of {verb!r}; of a fine-tuning remedis predict and "
            "remedis evaluate say what it is worth",
            where=folder / RUN,
        )
    missing = [name for name in _IN_JOB if name not in job] if isinstance(job, dict) else ["job"]
    if missing:
        raise InputError(
            f"{missing[0]!r} was expected and is not there; remedis pretrain writes it", where=folder / RUN
        )
    whole, damaged, cut = _read_log(folder / METRICS)
    found = [_finite(line) for line in whole]
    views, no_views = _read_views(folder / VIEWS)
    return Run(
        path=folder, facts=facts, damaged=damaged, cut=cut, card=_card(folder), views=views, no_views=no_views,
        not_finite=[line["step"] for line in whole if "loss" in line and not _is_finite(line["loss"])],
        lines=[line for line in found if _is_finite(line.get("loss"))],
        looks=[line for line in found if _is_look(line)],
    )  # fmt: skip


def _read_log(path: Path) -> tuple[list[Line], int, bool]:
    """Return the lines by step, how many are none, and whether the last was cut short by a kill or is being written."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    found: list[Line] = []
    broken = []
    texts = text.splitlines()
    for number, line in enumerate(texts):
        value = _parsed(line)
        if value is not None:
            found.append(value)
        elif line.strip():
            broken.append(number)
    cut = bool(broken) and broken[-1] == len(texts) - 1 and not text.endswith("\n")
    return sorted(found, key=lambda line: int(line["step"])), len(broken) - cut, cut


def _parsed(text: str) -> Line | None:
    """Return a line of the log, None where it is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict) or type(value.get("step")) is not int or value["step"] < 0:
        return None
    return value


def _finite(line: Line) -> Line:
    """Return a line's words and finite numbers."""
    return {name: part for name, part in line.items() if isinstance(part, str) or _is_finite(part)}


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_look(line: Line) -> bool:
    accuracies = [line[name] for name in ACCURACIES if name in line]
    return (
        bool(accuracies) and isinstance(line.get("n"), int) and line["n"] > 0 and all(0 <= a <= 1 for a in accuracies)
    )


def _card(folder: Path) -> Mapping[str, Any]:
    path = folder / LAST / "config.json"
    try:
        found = read_json(path)
    except InputError:
        return {}
    card = found.get("remedis") if isinstance(found, dict) else None
    return card if isinstance(card, dict) else {}


def _read_views(path: Path) -> tuple[bytes | None, str]:
    if not path.is_file():
        return None, "there is no views.png in the folder; it is written at the first step"
    if path.stat().st_size > MOST_VIEWS:
        return None, f"views.png has {path.stat().st_size / 2**20:.1f} MiB, at most 1 MiB is embedded"
    found = path.read_bytes()
    if not found.startswith(b"\x89PNG\r\n\x1a\n"):
        return None, "views.png is no PNG picture"
    return found, ""
