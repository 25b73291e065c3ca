"""`remedis study`: how few labels are enough, here and at another hospital?"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from remedis.commands.finetune import typical_area
from remedis.commands.start_facts import start_facts
from remedis.commands.study_answers import answer
from remedis.commands.study_question import BOOTSTRAP, at_least_one, question_of, with_file
from remedis.console import QUIET, Console, Result
from remedis.data.embeddings import is_embeddings
from remedis.data.files import claim_folder, read_json, remove_orphans, write_json
from remedis.errors import CheckpointError
from remedis.evaluate.fixed_parts import notes_on
from remedis.models.embed import rank_and_world
from remedis.models.embed_job import device_of
from remedis.models.learnt import Learnt, learnt_by
from remedis.options.study import Study
from remedis.recipes.finetuning import resolve
from remedis.study import cell_scores, features, plan_words, probes, tuning
from remedis.study.audit import UNREADABLE, audit_all
from remedis.study.estimate import cost
from remedis.study.features import Embedding
from remedis.study.fits import Cell, cells_of, tested_on
from remedis.study.question import FINETUNE, PROBE, DataSet, EncoderAsked, Question
from remedis.study.tuning import Tuning
from remedis.study.work import path_of, wait_for, work_through
from remedis.train.finetune_job import Machine
from remedis.train.machine import precision_of, workers_of
from remedis.train.memory import keep_freed

FACTS, AUDIT = "study.json", "audit.json"
CELLS, RUNS, EMBEDDINGS, PREDICTIONS = "cells", "runs", "embeddings", "predictions"


@dataclass(frozen=True)
class Work:
    """A study that is about to be done.

    Attributes:
        options: As given, with what a file said.
        question: What is asked.
        cells: All of them.
        embedding: How embeddings are made.
        tuning: How fine-tuning goes.
        bootstrap: Draws of every interval.
    """

    options: Study
    question: Question
    cells: list[Cell]
    embedding: Embedding
    tuning: Tuning
    bootstrap: int

    @property
    def missing(self) -> list[Cell]:
        """The cells that are not done."""
        return [cell for cell in self.cells if not path_of(self.options.out / CELLS, cell).exists()]

    def job(self) -> dict[str, Any]:
        """Return what decides the results: a folder that holds another study is refused, naming what differs."""
        question = self.question
        return {
            "data_sets": {each.name: each.manifest.hash() for each in question.data_sets},
            "other_sites": [each.name for each in question.there],
            "encoders": {each.name: each.hash for each in question.encoders},
            "baseline": question.baseline,
            "labels": {each.label: list(each.classes) for each in question.data_sets[0].targets},
            "methods": list(question.methods),
            "label_fractions": list(question.label_fractions),
            "target_fractions": list(question.target_fractions),
            "draws": question.draws,
            "scenarios": list(question.scenarios),
            "repeat_splits": question.repeats,
            "seed": question.seed,
            "image_size": self.options.image_size,
            "finetuning": {**dataclasses.asdict(self.tuning.settings), "decay_at": list(self.tuning.settings.decay_at)},
            "precision": self.tuning.machine.precision,
            "bootstrap": self.bootstrap,
        }


def run(options: Study, console: Console = QUIET) -> Result:
    """Do in `options.out` what is missing of the study, and write its tables and its page.

    Returns:
        The answers in a few lines, and where everything lies.

    Raises:
        RemedisError: An input or the folder cannot be used; nothing was written.
        StoppedError: The disk is full, or a loss is not finite; finished cells are kept.
        RunEndedError: SIGTERM or Ctrl-C; finished cells are kept, and the state of the fine-tuning that was at work.
    """
    rank, world = rank_and_world()
    console = console if rank == 0 else QUIET
    work = _work(with_file(options))
    cells_done = len(work.cells) - len(work.missing)
    for line in plan_words.lines(work.question, work.cells, cells_done):
        console.say(line)
    for line in _notes(work):
        console.warn(line)
    to_embed = _to_embed(work)
    if rank == 0 and (work.missing or to_embed):
        spent = cost(work.question, work.missing, to_embed, work.tuning, work.options.image_size)
        console.say(plan_words.cost_line(spent, world))
    if options.plan_only:
        return Result(text="the plan only; nothing was done", data={"cells": len(work.cells), "done": cells_done})
    _claim(work, rank)
    if rank == 0:
        _audit(work, console)
    _do(work, console)
    if rank != 0:
        return Result()
    tuning.forget_all(work.tuning)
    return answer(
        work.question, work.cells, options.out, draws=work.bootstrap, unreadable=_unreadable(work), console=console
    )


def _work(options: Study) -> Work:
    device = device_of(options.device)
    if device == "cpu":
        keep_freed()
    question = question_of(options)
    given = dataclasses.asdict(options) | {"image_size": options.image_size}
    learnt = question.here[0]
    pixels = typical_area(learnt.manifest)
    settings = resolve(options.recipe, given, images=len(learnt.parts[0].train), pixels=pixels)
    settings = dataclasses.replace(settings, aside=())  # every class of a study has a score, whatever the method
    machine = Machine(device, precision_of(options.precision, device), workers_of(options.workers))
    return Work(
        options, question, cells_of(question),
        Embedding(options.out / EMBEDDINGS, options.image_size, device, options.workers, question.seed),
        Tuning(settings, machine, options.out / RUNS, bool(options.keep_models)),
        at_least_one(options.bootstrap, BOOTSTRAP, "--bootstrap"),
    )  # fmt: skip


def _notes(work: Work) -> list[str]:
    """Return what a person must know of the rows before anything is done."""
    found = []
    for each in work.question.data_sets:
        found += [f"{each.name}: {note}" for note in notes_on(each.manifest, each.parts[0], each.units)]
        for encoder in work.question.encoders:
            lacking = len(features.lacking(each, encoder))
            if lacking:
                found.append(
                    f"{encoder.external} has no vector of {lacking:,} of the {len(each.manifest):,} images of "
                    f"{each.name}; every encoder is tested on the others"
                )
    return found


def _to_embed(work: Work) -> list[tuple[EncoderAsked, int]]:
    """Return the encoders with the images that are still to go through them."""
    if PROBE not in work.question.methods:
        return []
    found = []
    for encoder in work.question.encoders:
        images = 0 if encoder.external else sum(
            len(each.manifest)
            for each in work.question.data_sets
            if not is_embeddings(features.folder_of(each, encoder, work.embedding))
        )  # fmt: skip
        found += [(encoder, images)] if images else []
    return found


def _claim(work: Work, rank: int) -> None:
    path = work.options.out / FACTS
    if rank != 0:
        wait_for(path, work.job())
        return
    claim_folder(work.options.out, work.job(), facts_name=FACTS)
    for folder in ("", CELLS, PREDICTIONS):
        remove_orphans(work.options.out / folder)
    options = {key: value for key, value in dataclasses.asdict(work.options).items() if key != "file"}
    facts = {
        "verb": "study", "options": options, "simulated": _simulated(work.question),
        **start_facts(work.tuning.machine.device),
    }  # fmt: skip
    write_json(path, {**read_json(path), **facts})


def _simulated(question: Question) -> bool:
    return any(bool(each.manifest.facts.get("simulated")) for each in question.data_sets)


def _audit(work: Work, console: Console) -> None:
    """Look for what makes results wrong, once, and say what was found."""
    path = work.options.out / AUDIT
    if not path.exists():
        labels = [each.label for each in work.question.data_sets[0].targets]
        learnt = [known for each in work.question.encoders if each.trained and (known := _learnt(each)) is not None]
        found = {}
        for each in work.question.data_sets:
            findings = audit_all(each.manifest, labels, encoders=learnt, console=console)
            found[each.name] = [dataclasses.asdict(finding) | {"line": finding.line} for finding in findings]
        write_json(path, found)
    for name, findings in read_json(path).items():
        for finding in findings:
            console.warn(f"{name}: {finding['line']}")


def _learnt(encoder: EncoderAsked) -> Learnt | None:
    """Return what an encoder has learnt from; None for embeddings from elsewhere whose name says nothing to us."""
    try:
        return learnt_by(encoder.name)
    except CheckpointError:
        if not encoder.external:
            raise
        return None


def _do(work: Work, console: Console) -> None:
    """Make the embeddings, all processes together, and then the cells, each process the next free one."""
    question = work.question
    if PROBE in question.methods:
        for encoder in question.encoders:
            for data_set in question.data_sets:
                features.make(data_set, encoder, work.embedding, console)
    fits = sum(len(cell.fits) for cell in work.cells)
    done = fits - sum(len(cell.fits) for cell in work.missing)
    with console.track(fits, "fits", "fitting", done=done) as track:
        work_through(work.options.out / CELLS, work.cells, lambda cell: _cell(work, cell), track)


def _unreadable(work: Work) -> dict[str, int]:
    """Return how many images of each data set could not be read: by any network, or by the audit without probes."""
    question = work.question
    networks = [each for each in question.encoders if not each.external]
    if PROBE not in question.methods:
        audited = read_json(work.options.out / AUDIT)
        return {
            name: sum(each["count"] for each in found if each["kind"] in UNREADABLE) for name, found in audited.items()
        }
    return {
        each.name: len({
            image for encoder in networks for image, _ in features.known(each, encoder, work.embedding).rejected
        })
        for each in question.data_sets
    }  # fmt: skip


def _cell(work: Work, cell: Cell) -> None:
    path = path_of(work.options.out / CELLS, cell)
    if cell.fits[0].method == FINETUNE:
        cell_scores.write(path, tuning.scores(work.question, cell, work.tuning))
        tuning.forget(cell, work.tuning)
        return
    encoder = next(each for each in work.question.encoders if each.name == cell.fits[0].encoder)
    known = {each.name: features.known(each, encoder, work.embedding) for each in _needed(work.question, cell)}
    cell_scores.write(path, probes.scores(work.question, cell, known, work.tuning.machine.device))


def _needed(question: Question, cell: Cell) -> list[DataSet]:
    names = {cell.fits[0].train, *(each.name for _, each in tested_on(question, cell.fits[0]))}
    return [each for each in question.data_sets if each.name in names]
