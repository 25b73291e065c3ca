"""`remedis pretrain`: an encoder learns from images without labels."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from remedis.commands.pretrain_words import rows_said, understood, written
from remedis.commands.start_facts import start_facts
from remedis.console import QUIET, Console, Result
from remedis.data.embeddings import read_rejected, write_rejected
from remedis.data.inputs import open_any
from remedis.data.loader import View
from remedis.data.manifest import Manifest, patient_keys
from remedis.data.profiles import profile as find_profile
from remedis.errors import UsageError
from remedis.models.architectures import architecture, official_name
from remedis.models.contract import Contract
from remedis.models.embed_job import device_of
from remedis.models.encoder import Encoder
from remedis.models.load import open_or_random, random_encoder
from remedis.options.pretrain import Pretrain as Options
from remedis.recipes.pretraining import Pretraining, resolve
from remedis.train import distributed, schedule
from remedis.train.augmentation import Augmentation
from remedis.train.folder import RunFolder
from remedis.train.machine import precision_of, workers_of
from remedis.train.memory import keep_freed
from remedis.train.order import Order
from remedis.train.pretrain import Plan, Pretrain
from remedis.train.rows import TrainingRows, choose
from remedis.train.run import Pace, train
from remedis.train.simclr import Objective
from remedis.train.together import claimed, union
from remedis.train.views import Views
from remedis.train.watch import Watch, known_and_asked


def run(options: Options, console: Console = QUIET) -> Result:
    """Train in `options.out` until the run is done, going on where an earlier start ended.

    Returns:
        Where the checkpoint lies; exit status 1 where more images were rejected than allowed.

    Raises:
        RemedisError: The input, the encoder or the folder cannot be used; nothing was written.
        StoppedError: The loss is not finite, or the disk is full; what was saved is kept.
        RunEndedError: SIGTERM or Ctrl-C; the state was saved.
    """
    return run_on(open_any(options.manifest, root=options.root, where=options.where), options, console)


def run_on(manifest: Manifest, options: Options, console: Console = QUIET) -> Result:
    """Train on an opened manifest, as `run` does; `options.manifest` only names it in messages."""
    device = device_of(options.device)
    if device == "cpu":
        keep_freed()
    distributed.start(device)
    try:
        return _run(manifest, options, device, console)
    finally:
        distributed.stop()


def _run(manifest: Manifest, options: Options, device: str, console: Console) -> Result:
    data = choose(manifest, all_parts=options.splits == "all", held_out=options.eval_split, label=options.label)
    settings = _settings(options, data, console)
    encoder = _encoder(options, settings)
    name = find_profile(options.profile or encoder.contract.profile).name
    precision = precision_of(options.precision, device)
    job = _job(options, settings, encoder, data, name, precision)
    encoder = _described(encoder.made_for(settings.image_size, name), data, options, job)
    pace = _pace(options, settings, data)
    console.say(understood(encoder, settings, pace, device, precision))
    console.say(rows_said(data))
    folder = RunFolder(options.out, keep=options.keep_checkpoint_max)
    views = _views(options, settings, data, name, device)
    plan = _plan(options, settings, data, pace, device, precision)
    task = Pretrain(encoder, views, plan, _watch(options, data, settings, encoder), folder)
    _claim(folder, job, options, data, device)
    try:
        train(task, folder, pace, console)
        rejected = _rejected(views, data.train, folder)
        if distributed.rank() == 0:
            folder.finish({"steps": pace.total, "rejected": len(rejected)})
    finally:
        folder.release()
    return written(options, encoder, pace, rejected)


def _settings(options: Options, data: TrainingRows, console: Console) -> Pretraining:
    settings = resolve(options.recipe, dataclasses.asdict(options))
    epochs = float(settings.train_epochs)
    if settings.train_steps:
        epochs = settings.train_steps * settings.train_batch_size / data.units(patients=settings.multi_instance)
    if options.warmup_epochs is not None or settings.warmup_epochs < epochs:
        return settings
    console.say(f"warm-up of {epochs / 10:.2g} epochs, a tenth of this short run (--warmup-epochs)")
    return dataclasses.replace(settings, warmup_epochs=epochs / 10)


def _encoder(options: Options, settings: Pretraining) -> Encoder:
    """Return what is trained: a checkpoint, or a network with random weights of the seed."""
    name = options.encoder
    if name is None:
        name = official_name(
            settings.resnet_depth, settings.width_multiplier, bit=settings.use_bit, size=settings.image_size
        )
        return random_encoder(architecture(name), Contract(size=settings.image_size), seed=options.seed)
    return open_or_random(name, size=settings.image_size, seed=options.seed)


def _job(
    options: Options, settings: Pretraining, encoder: Encoder, data: TrainingRows, profile: str, precision: str
) -> dict[str, Any]:
    """Return what decides the result: a folder that holds another job is refused, naming what differs."""
    return {
        **dataclasses.asdict(settings),
        "encoder_hash": encoder.hash,
        "network": encoder.network,
        "manifest_hash": data.manifest.hash(),
        "images": len(data.rows),
        "splits": options.splits,
        "profile": profile,
        "precision": precision,
        "seed": options.seed,
    }


def _described(encoder: Encoder, data: TrainingRows, options: Options, job: dict[str, Any]) -> Encoder:
    """Say on the encoder's card where its weights come from now."""
    start = "random weights" if not encoder.facts.trained else f"{encoder.name} ({encoder.facts.source})"
    seen = [*encoder.facts.extra.get("seen", []), data.manifest.data_set]
    pretraining = {**job, "data_set": data.manifest.data_set, "left_out": data.left_out}
    notes = list(encoder.facts.notes)
    if data.manifest.facts.get("simulated"):
        notes.append("Pretrained on simulated images.")
    encoder.facts = dataclasses.replace(
        encoder.facts,
        source=f"remedis pretrain on {len(data.rows):,} images of {data.manifest.data_set}, from {start}",
        trained=True,
        notes=tuple(notes),
        extra={"seen": list(dict.fromkeys(seen)), "recipe": options.recipe, "pretraining": pretraining},
    )
    encoder.name = f"{encoder.network} pretrained on {data.manifest.data_set}"
    return encoder


def _pace(options: Options, settings: Pretraining, data: TrainingRows) -> Pace:
    units, batch = data.units(patients=settings.multi_instance), settings.train_batch_size
    if batch % distributed.world():
        raise UsageError(f"--train-batch-size {batch} does not share out among {distributed.world()} processes")
    return Pace(
        total=schedule.total_steps(units, batch, settings.train_epochs, settings.train_steps),
        images=batch,
        checkpoint=options.checkpoint_steps or schedule.steps_in(options.checkpoint_epochs, units, batch),
        evaluation=schedule.steps_in(options.knn_epochs, units, batch) if options.knn_epochs and data.labels else 0,
        minutes=options.checkpoint_minutes,
        summary=options.train_summary_steps,
    )


def _claim(folder: RunFolder, job: dict[str, Any], options: Options, data: TrainingRows, device: str) -> None:
    facts = {
        "verb": "pretrain",
        "options": dataclasses.asdict(options),
        "data_set": data.manifest.data_set,
        "simulated": bool(data.manifest.facts.get("simulated")),
        "patients": data.units(patients=True),
        **start_facts(device),
    }
    claimed(lambda: folder.claim(job, facts), folder.path)


def _views(options: Options, settings: Pretraining, data: TrainingRows, profile: str, device: str) -> Views:
    patients = data.patients if settings.multi_instance else None
    order = Order(
        data.units(patients=settings.multi_instance), settings.train_batch_size, options.seed, patients=patients
    )
    names = {field.name for field in dataclasses.fields(Augmentation)}
    chosen = {name: value for name, value in dataclasses.asdict(settings).items() if name in names}
    return Views(
        data.train, order, Augmentation(size=settings.image_size, **chosen),
        profile=profile, share=(distributed.rank(), distributed.world()),
        device=device, workers=workers_of(options.workers), cache=options.cache_dataset,
    )  # fmt: skip


def _plan(options: Options, settings: Pretraining, data: TrainingRows, pace: Pace, device: str, precision: str) -> Plan:
    units = data.units(patients=settings.multi_instance)
    rates = schedule.Schedule(
        settings.learning_rate, settings.train_batch_size,
        schedule.warmup_steps(units, settings.train_batch_size, settings.warmup_epochs),
        pace.total, settings.learning_rate_scaling,
    )  # fmt: skip
    objective = Objective(
        settings.temperature, settings.hidden_norm, settings.loss_scale,
        tile=options.tile, chunk=options.chunk_size, bfloat16=precision == "bf16",
    )  # fmt: skip
    labels = None if data.labels is None else torch.from_numpy(data.labels.codes[data.rows])
    classes = len(data.labels.classes) if data.labels else 0
    return Plan(settings, rates, options.seed, objective, device, max(1, pace.total // 200), labels, classes)


def _watch(options: Options, data: TrainingRows, settings: Pretraining, encoder: Encoder) -> Watch | None:
    if data.labels is None or not options.knn_epochs or distributed.rank() != 0:
        return None
    patients = patient_keys(data.manifest.table, data_set=data.manifest.data_set)
    rows = known_and_asked(data.watched(), data.held_out, patients, options.seed)
    view = View(str(encoder.contract.profile), settings.image_size, encoder.contract.fit)
    return Watch(
        data.manifest, data.labels, rows, view, held_out=bool(len(data.held_out)), workers=workers_of(options.workers)
    )


def _rejected(views: Views, manifest: Manifest, folder: RunFolder) -> list[tuple[str, str]]:
    """Return what could not be read, of all processes, and write it where there is any."""
    found = union(views.rejected)
    now = {str(manifest.table["image"][row].as_py()): found[row] for row in sorted(found)}
    pairs = list({**dict(read_rejected(folder.path)), **now}.items())  # those of earlier starts too
    if pairs and distributed.rank() == 0:
        write_rejected(folder.path, pairs)
    return pairs
