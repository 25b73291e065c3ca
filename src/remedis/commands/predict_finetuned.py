"""`remedis predict` with a fine-tuned model."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq

from remedis.console import QUIET, Console, Result
from remedis.data import manifest as manifests
from remedis.data.embeddings import is_embeddings
from remedis.data.files import write_atomic
from remedis.data.indexers.words import counted
from remedis.data.inputs import open_any
from remedis.data.loader import View
from remedis.data.manifest import Manifest
from remedis.errors import UsageError
from remedis.evaluate import saved, seen
from remedis.evaluate.metrics import Floats
from remedis.models.embed_job import device_of
from remedis.options.probe import Predict
from remedis.train import finetuned
from remedis.train.finetuned import FineTuned
from remedis.train.machine import workers_of
from remedis.train.scores import scores_of
from remedis.train.squares import Squares


def predict(options: Predict, console: Console = QUIET) -> Result:
    """Write the scores of `options.new` to `options.out`.

    Returns:
        The counts; exit status 1 where more images were rejected than allowed.

    Raises:
        RemedisError: The model or the images cannot be used; nothing was written.
    """
    if is_embeddings(options.new):
        raise UsageError(f"{options.new} holds embeddings, a fine-tuned model takes images; name their manifest")
    model = finetuned.load(options.model)
    labels = ", ".join(label.label for label in model.labels)
    size = model.encoder.contract.size
    console.say(f"{model.encoder.name} for {labels} · {size} px · float32 · {model.folder}")
    manifest = open_any(options.new, root=options.root, where=options.where)
    view = View(str(model.encoder.contract.profile), size, model.encoder.contract.fit)
    squares = Squares(manifest, np.arange(len(manifest)), view, workers=workers_of(options.workers), keep=False)
    model.network.to(device_of(options.device))
    read, scores = scores_of(model, squares, console)
    words = _write(options, model, manifest.select(read), scores)
    return _result(options, words, list(scores), squares.rejected, manifest)


def _write(options: Predict, model: FineTuned, rows: Manifest, scores: dict[str, Floats]) -> list[str]:
    run = model.folder if (model.folder / seen.FILE_NAME).exists() else model.folder.parent
    words = seen.recognise(rows.table, seen.load(run), dataset=rows.data_set, root=rows.root)
    table = saved.predictions(rows.table, scores, words)
    facts = {**rows.facts, "root": manifests.relative_root(rows.root, options.out), "data_set": rows.data_set}
    classes = {label.label: label.scored for label in model.labels}
    table = manifests.with_facts(table, facts)
    table = saved.with_model(table, encoder=model.encoder.name, method="finetune", classes=classes)
    with write_atomic(options.out) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return words


def _result(
    options: Predict, words: list[str], columns: list[str], rejected: dict[int, str], manifest: Manifest
) -> Result:
    left_out = f", {len(rejected):,} rejected" if rejected else ""
    lines = [f"wrote {options.out}: {counted(len(words), 'image')}{left_out}, {' '.join(columns)}"]
    if rejected:
        row, reason = next(iter(rejected.items()))
        lines.append(f"first rejected: {manifest.table['image'][row].as_py()}: {reason}")
    known = sum(word != "no" for word in words)
    if known:
        lines.append(
            f"{known:,} of them, or their patients, were seen in training (column seen); figures belong on the others"
        )
    if known < len(words):
        lines.append(f"next: remedis evaluate {options.out} --out eval")
    data = {"out": str(options.out), "images": len(words), "scores": columns, "seen": known, "rejected": len(rejected)}
    return Result(text="\n".join(lines), data=data, exit_status=1 if len(rejected) > options.allow_rejected else 0)
