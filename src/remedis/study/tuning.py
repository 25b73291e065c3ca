"""A cell of fine-tuning: one run, whose scores are kept."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from remedis.console import QUIET, Console
from remedis.data.loader import View
from remedis.data.manifest import Manifest
from remedis.data.profiles import profile as find_profile
from remedis.models.load import open_or_random
from remedis.recipes.finetuning import FineTuning
from remedis.study.cell_scores import Scored
from remedis.study.fits import Cell, Fit, tested_on
from remedis.study.probes import training_rows
from remedis.study.question import Question
from remedis.train import finetuned
from remedis.train.finetune_job import Job, Life, Machine, finetune
from remedis.train.finetuned import FineTuned
from remedis.train.folder import RunFolder
from remedis.train.scores import scores_of
from remedis.train.squares import Rows, Squares

SMALL = 2**26  # bytes of files


@dataclass(frozen=True)
class Tuning:
    """How fine-tuning goes.

    Attributes:
        settings: What decides the result; an image size of 0 is each encoder's own.
        machine: What computes.
        runs: Folder of the runs.
        keep: Whether their models stay.
    """

    settings: FineTuning
    machine: Machine
    runs: Path
    keep: bool


def scores(question: Question, cell: Cell, how: Tuning, console: Console = QUIET) -> list[Scored]:
    """Train where it was not done, and return the scores; the run's folder is left to `forget`.

    Raises:
        StoppedError: The loss is not finite, or the disk is full; the run's state is kept.
        RunEndedError: SIGTERM or Ctrl-C; the state was saved.
    """
    (fit,) = cell.fits
    job = job_of(question, fit, how)
    folder = RunFolder(how.runs / cell.name, keep=1)
    finetune(job, folder, {"verb": "finetune", "study": True, "data_set": job.manifest.data_set}, console)
    model = finetuned.load(folder.path)
    model.network.to(how.machine.device)
    learnt = question.data_set(fit.train)
    wanted = [(learnt, "validation", learnt.parts[fit.repeat].validation)]
    wanted += [(each, "test", each.parts[fit.repeat].test) for _, each in tested_on(question, fit)]
    found: list[Scored] = []
    for data_set, part, rows in wanted:
        if len(rows):
            view = View(job.profile, job.settings.image_size, model.encoder.contract.fit)
            workers = suited(how.machine, data_set.manifest, rows).workers
            squares = Squares(data_set.manifest, rows, view, workers=workers, keep=False)
            found += _scored(fit, model, squares, data_set.name, part)
    return found


def forget(cell: Cell, how: Tuning) -> None:
    """Remove the run of a cell whose scores are stored, unless models are kept."""
    if not how.keep:
        shutil.rmtree(how.runs / cell.name, ignore_errors=True)


def forget_all(how: Tuning) -> None:
    """Remove what killed processes left of runs whose scores are stored; call it when all cells are done."""
    if not how.keep:
        shutil.rmtree(how.runs, ignore_errors=True)


def job_of(question: Question, fit: Fit, how: Tuning) -> Job:
    """Return the fine-tuning of a fit; the draw also decides the head and the order, as another lab's run would."""
    data_set = question.data_set(fit.train)
    encoder = open_or_random(fit.encoder, size=how.settings.image_size or 224, seed=question.seed)
    settings = replace(how.settings, image_size=how.settings.image_size or encoder.contract.size)
    train = training_rows(question, fit)
    return Job(
        encoder, data_set.manifest, data_set.targets, train, data_set.parts[fit.repeat].validation, settings,
        find_profile(encoder.contract.profile).name, question.seed + fit.draw,
        suited(how.machine, data_set.manifest, train), Life(), {"label_fraction": fit.fraction, "draw": fit.draw},
    )  # fmt: skip


def suited(machine: Machine, manifest: Manifest, rows: Rows) -> Machine:
    """Return the machine, few bytes read in its own process and kept: starting others would take longer than that."""
    paths = {source.path for source in manifest.sources_of(rows)}
    small = sum(path.stat().st_size for path in paths if path.exists()) <= SMALL
    return replace(machine, workers=0 if small else machine.workers, cache=small)


def _scored(fit: Fit, model: FineTuned, squares: Squares, dataset: str, part: str) -> list[Scored]:
    rows, columns = scores_of(model, squares)
    found = []
    for label in model.labels:
        values = np.stack([columns[name] for name in label.score_columns], axis=1)
        scores = values[:, 0] if label.width == 1 else values
        found.append(Scored(fit.fraction, fit.draw, dataset, part, label.label, rows, scores))
    return found
