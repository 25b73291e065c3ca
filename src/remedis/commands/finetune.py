"""`remedis finetune`: an encoder learns labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch

from remedis.commands.finetune_grid import TABLE, Cell, cells_of, choose, name_of, record, refuse_other
from remedis.commands.start_facts import start_facts
from remedis.console import QUIET, Console, Result
from remedis.data import fractions
from remedis.data.indexers.words import counted
from remedis.data.inputs import open_any
from remedis.data.manifest import Manifest
from remedis.data.profiles import profile as find_profile
from remedis.errors import LabelError, NotFiniteError, UsageError
from remedis.evaluate.fixed_parts import FixedParts, fixed_parts, notes_on
from remedis.evaluate.parts import units_of
from remedis.evaluate.targets import UNKNOWN, Target, check_excluded, target
from remedis.models.card import Facts
from remedis.models.embed_job import device_of
from remedis.models.encoder import Encoder
from remedis.models.load import open_or_random
from remedis.options.finetune import FineTune as Options
from remedis.recipes.finetuning import FineTuning, resolve
from remedis.train import distributed
from remedis.train.finetune_job import Job, Life, Machine, Outcome, finetune
from remedis.train.finetuned import BEST, CELLS, LAST
from remedis.train.folder import RunFolder
from remedis.train.machine import precision_of, workers_of
from remedis.train.memory import keep_freed
from remedis.train.together import claimed


@dataclass(frozen=True)
class Rows:
    """What is learnt from.

    Attributes:
        manifest: All rows.
        targets: The labels, with the classes that the drawn rows have.
        parts: Rows with a label, by part.
        train: The drawn rows of the training part.
    """

    manifest: Manifest
    targets: tuple[Target, ...]
    parts: FixedParts
    train: np.ndarray[Any, np.dtype[np.int64]]


def run(options: Options, console: Console = QUIET) -> Result:
    """Train in `options.out` until the run is done, going on where an earlier start ended.

    Returns:
        Where the model lies and what validation says of it; exit status 1 where more images were rejected than allowed.

    Raises:
        RemedisError: The input, the encoder or the folder cannot be used; nothing was written.
        StoppedError: The loss is not finite, or the disk is full; what was saved is kept.
        RunEndedError: SIGTERM or Ctrl-C; the state was saved.
    """
    return _started(options, console, lambda: open_any(options.manifest, root=options.root, where=options.where))


def run_on(manifest: Manifest, options: Options, console: Console = QUIET) -> Result:
    """Train on an opened manifest, as `run` does; `options.manifest` only names it in messages."""
    return _started(options, console, lambda: manifest)


def _started(options: Options, console: Console, opened: Callable[[], Manifest]) -> Result:
    device = device_of(options.device)
    if device == "cpu":
        keep_freed()
    distributed.start(device)
    try:
        return _run(options, device, console, opened())
    finally:
        distributed.stop()


def _run(options: Options, device: str, console: Console, manifest: Manifest) -> Result:
    if options.seed < 0:
        raise UsageError(f"--seed is {options.seed}, at least 0 was expected")
    rows = _rows(options, manifest)
    console.say(_rows_said(rows, options))
    for note in notes_on(manifest, rows.parts, units_of(manifest.table, None)):
        console.warn(note)
    cells = cells_of(options.learning_rate, options.weight_decay)
    for cell in cells:
        _resolved(options, rows, cell)  # a cell that cannot be is refused before the first one is trained
    if len(cells) > 1:
        return _grid(options, rows, cells, device, console)
    job = _job(options, rows, cells[0], device)
    console.say(_understood(job))
    return _written(options, _finetuned(options, rows, job, options.out, console), None)


def _grid(options: Options, rows: Rows, cells: Sequence[Cell], device: str, console: Console) -> Result:
    """Train every cell; one whose numbers run away is recorded as that, and the others go on."""
    names = [name_of(cell) for cell in cells]
    claimed(lambda: refuse_other(options.out, names), options.out)
    outcomes, diverged = {}, {}
    for number, (name, cell) in enumerate(zip(names, cells, strict=True)):
        job = _job(options, rows, cell, device)
        if number == 0:
            console.say(_understood(job))
        console.say(f"cell {number + 1} of {len(cells)}: {name}")
        try:
            outcomes[name] = _finetuned(options, rows, job, options.out / CELLS / name, console)
        except NotFiniteError as error:
            if distributed.world() > 1:  # the other processes may have been told another error
                raise
            console.warn(f"cell {name} diverged: {error}")
            diverged[name] = error
    if not outcomes:
        raise next(iter(diverged.values()))
    chosen = choose(options.out, list(outcomes))
    if distributed.rank() == 0:
        record(options.out, names, chosen, diverged=list(diverged))
    return _written(options, outcomes[chosen], chosen, diverged=list(diverged))


def _rows(options: Options, manifest: Manifest) -> Rows:
    if options.exclude_class:
        check_excluded(manifest.table, options.label, options.exclude_class)
    if options.positive is not None and len(options.label) > 1:
        raise UsageError(f"--positive {options.positive} is for one label, and there are {len(options.label)}")
    where = str(manifest.path or manifest.root)
    targets = tuple(
        target(manifest.table, label, positive=options.positive, exclude=options.exclude_class, where=where)
        for label in dict.fromkeys(options.label)
    )
    parts = fixed_parts(manifest, targets, seed=options.seed, needed=("validation",))
    train = fractions.draw(
        manifest.table, parts.train, [each.codes for each in targets], options.label_fraction,
        seed=options.seed, number=options.draw, data_set=manifest.data_set,
    )  # fmt: skip
    for each in targets:
        _refuse_unlearnable(each, train, where)
    return Rows(manifest, targets, parts, train)


def _refuse_unlearnable(label: Target, train: np.ndarray[Any, np.dtype[np.int64]], where: str) -> None:
    found = np.unique(label.codes[train])
    lacking = [name for code, name in enumerate(label.classes) if code not in found]
    if lacking:
        raise LabelError(
            f"no training row has class {lacking[0]} of label {label.label!r}; leave it out with --exclude-class, or "
            "check the split",
            where=where,
        )


def _rows_said(rows: Rows, options: Options) -> str:
    parts = [f"train {len(rows.train):,} images"]
    if options.label_fraction < 1:
        parts = [f"train {len(rows.train):,} of {len(rows.parts.train):,} images (draw {options.draw})"]
    if len(rows.parts.validation):
        drawn = ", drawn by patient" if "validation" in rows.parts.drawn else ""
        parts.append(f"validation {len(rows.parts.validation):,}{drawn}")
    labels = []
    for each in rows.targets:
        known = each.codes[rows.train][each.codes[rows.train] != UNKNOWN]
        if each.kind == "binary":
            labels.append(f"{each.label} {int((known == 1).sum()):,} of {len(known):,}")
        else:
            labels.append(f"{each.label} {len(each.classes)} classes")
    return " · ".join([*parts, *labels])


def _job(options: Options, rows: Rows, cell: Mapping[str, float], device: str) -> Job:
    encoder = open_or_random(options.encoder, size=options.image_size or 224, seed=options.seed)
    settings = _settings(options, rows, cell, encoder)
    machine = Machine(
        device, precision_of(options.precision, device), workers_of(options.workers), options.cache_dataset,
        max(1, options.accumulate), options.gradient_checkpointing,
    )  # fmt: skip
    life = Life(
        options.eval_steps, options.checkpoint_steps, options.checkpoint_minutes, options.keep_checkpoint_max,
        options.train_summary_steps,
    )  # fmt: skip
    job = Job(
        encoder, rows.manifest, rows.targets, rows.train, rows.parts.validation, settings,
        find_profile(options.profile or encoder.contract.profile).name, options.seed, machine, life,
        {"label_fraction": options.label_fraction, "draw": options.draw},
    )  # fmt: skip
    return described(job, options.recipe)


def _resolved(options: Options, rows: Rows, cell: Mapping[str, float]) -> FineTuning:
    given = {**dataclasses.asdict(options), "learning_rate": None, "weight_decay": None, **cell}
    given["aside"] = options.aside or None
    settings = resolve(options.recipe, given, images=len(rows.train), pixels=typical_area(rows.manifest))
    for each in rows.targets:
        if len(set(each.classes) - set(settings.aside)) < 2:
            aside = ",".join(settings.aside)
            raise UsageError(f"--aside {aside} leaves fewer than two classes of label {each.label!r} to score")
    return settings


def _settings(options: Options, rows: Rows, cell: Mapping[str, float], encoder: Encoder) -> FineTuning:
    settings = _resolved(options, rows, cell)
    return dataclasses.replace(settings, image_size=settings.image_size or encoder.contract.size)


def typical_area(manifest: Manifest) -> float:
    """Return the area of a typical image, 0 where sizes are not known."""
    table = manifest.table
    if not {"width", "height"} <= set(table.column_names):
        return 0.0
    areas = pc.multiply(pc.cast(table["width"], "int64"), pc.cast(table["height"], "int64"))
    return float(pc.quantile(areas, 0.5)[0].as_py() or 0.0)


def described(job: Job, recipe: str | None) -> Job:
    """Say on the encoder's card where its weights come from now; return the job."""
    encoder, data_set = job.encoder, job.manifest.data_set
    start = "random weights" if not encoder.facts.trained else f"{encoder.name} ({encoder.facts.source})"
    labels = ", ".join(each.label for each in job.targets)
    notes = list(encoder.facts.notes)
    if job.manifest.facts.get("simulated"):
        notes.append("Fine-tuned on simulated images.")
    encoder.facts = Facts(
        source=f"remedis finetune on {len(job.train):,} images of {data_set} for {labels}, from {start}",
        licence=encoder.facts.licence,
        citation=encoder.facts.citation,
        trained=True,
        notes=tuple(notes),
        extra={
            **encoder.facts.extra,
            "seen": list(dict.fromkeys([*encoder.facts.extra.get("seen", []), data_set])),
            "finetuning": {"labels": [each.label for each in job.targets], "recipe": recipe, **job.drawn},
        },
    )
    encoder.name = f"{encoder.network} fine-tuned on {data_set}"
    return job


def _understood(job: Job) -> str:
    settings, numbers = job.settings, {"fp32": "float32", "bf16": "bfloat16"}[job.machine.precision]
    trained = {-1: "all", 0: "all but the stem", 4: "the head"}.get(
        settings.fine_tune_after_block, f"what is after stage {settings.fine_tune_after_block}"
    )
    processes = f" · {distributed.world()} processes" if distributed.world() > 1 else ""
    return (
        f"{job.encoder.network} · {job.encoder.parameters_count / 1e6:.1f} M parameters · trains {trained} · "
        f"{settings.image_size} px · batch {settings.train_batch_size:,} · {job.steps:,} steps · "
        f"{settings.optimizer} · {numbers} · {job.machine.device}{processes} · {torch.get_num_threads()} threads"
    )


def _finetuned(options: Options, rows: Rows, job: Job, folder: Path, console: Console) -> Outcome:
    facts = {
        "verb": "finetune",
        "options": dataclasses.asdict(options),
        "recipe": options.recipe,
        "data_set": rows.manifest.data_set,
        "manifest": str(options.manifest),
        "simulated": bool(rows.manifest.facts.get("simulated")),
        "parts_drawn": list(rows.parts.drawn),
        **start_facts(job.machine.device),
    }
    return finetune(job, RunFolder(folder, keep=options.keep_checkpoint_max), facts, console)


def _written(options: Options, outcome: Outcome, chosen: str | None, *, diverged: Sequence[str] = ()) -> Result:
    place = options.out if chosen is None else options.out / CELLS / chosen
    model = place / (BEST if (place / BEST).exists() else LAST)
    verdict = ""
    if outcome.auroc is not None:
        verdict = f", validation AUROC {outcome.auroc:.3f} after step {outcome.best_step:,}"
    lines = [f"wrote {model}: {outcome.steps:,} steps{verdict}, {counted(len(outcome.rejected), 'image')} rejected"]
    if chosen is not None:
        lines.append(f"chosen on validation: {chosen}      all cells: {options.out / TABLE}")
    if diverged:
        lines.append(f"diverged, and could not be chosen: {', '.join(diverged)}")
    if outcome.rejected:
        image, reason = outcome.rejected[0]
        lines.append(f"first rejected: {image}: {reason}      all: {place / '_rejected.csv'}")
    images = options.manifest if options.manifest.is_file() else "IMAGES"
    lines.append(f"next: remedis predict {images} --model {options.out} --out pred.parquet")
    data = {
        "out": str(options.out), "model": str(model), "steps": outcome.steps, "chosen": chosen,
        "diverged": list(diverged),
        "validation_auroc": outcome.auroc, "best_step": outcome.best_step, "rejected": len(outcome.rejected),
    }  # fmt: skip
    status = 1 if len(outcome.rejected) > options.allow_rejected else 0
    return Result(text="\n".join(lines), data=data, exit_status=status)
