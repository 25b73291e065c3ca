"""`remedis predict`: a fitted probe's scores of new images, with a word on each whether the probe had seen it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from remedis.console import QUIET, Console, Result
from remedis.data import embeddings
from remedis.data.files import write_atomic
from remedis.errors import CheckpointError, InputError, RemedisError, UsageError
from remedis.evaluate import saved, seen
from remedis.evaluate.record import rooted
from remedis.evaluate.saved import Saved
from remedis.evaluate.sources import Source, open_source, refuse_other_encoder, settings_of
from remedis.options.probe import Predict
from remedis.report.numbers import counted


def run(options: Predict, console: Console = QUIET) -> Result:
    """Write the scores of `options.new` to `options.out`.

    Returns:
        The counts; exit status 1 where more images were rejected than allowed.

    Raises:
        RemedisError: The probe, the images or the encoder cannot be used; nothing was written.
    """
    _check(options)
    if _is_finetuned(options.model):
        from remedis.commands.predict_finetuned import predict

        return predict(options, console)
    probe = saved.load(options.model)
    labels = ", ".join(probe.models)
    console.say(f"probe of {labels} · encoder {probe.config.get('encoder')} · embeddings of {probe.width} numbers")
    with _embedded(options, probe, console) as (folder, rejected):
        where = options.where if folder == options.new else ()
        source = open_source(folder, where=where, tested_whole=True)
        name = options.new if folder != options.new else folder
        for differing in refuse_other_encoder(settings_of(source.facts), probe.config["made_as"], where=name):
            console.warn(differing)
        words = _write(options.out, source, probe)
    return _result(options, probe, words, rejected)


def _is_finetuned(folder: Path) -> bool:
    """Return whether a folder is a fine-tuning's rather than a probe's; torch is not imported to tell."""
    return (folder / "run.json").is_file() or (folder / "head.json").is_file() or (folder / "grid.json").is_file()


def _check(options: Predict) -> None:
    if options.out.suffix.lower() != ".parquet" or options.out.is_dir():
        found = "the folder " * options.out.is_dir() + repr(str(options.out))
        raise UsageError(f"--out is {found}, a file name that ends in .parquet was expected")
    if not options.new.exists():
        raise InputError("there is no such file or folder; embeddings or images were expected", where=options.new)


@contextmanager
def _embedded(options: Predict, probe: Saved, console: Console) -> Iterator[tuple[Path, int]]:
    """Yield the folder of embeddings and the number of rejected images; images are embedded into a scratch folder."""
    if embeddings.is_embeddings(options.new):
        yield options.new, 0
        return
    from remedis.commands.embed import embed_like

    encoder = _encoder(options, probe)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"_{options.out.stem}.", suffix=".tmp", dir=options.out.parent) as scratch:
        folder = Path(scratch) / "embeddings"
        same = {
            "root": options.root, "where": options.where, "workers": options.workers, "device": options.device,
            "random_weights": options.random_weights, "allow_rejected": options.allow_rejected,
        }  # fmt: skip
        made = embed_like(options.new, encoder, folder, like=probe.config["made_as"], options=same, console=console)
        yield folder, made.data["rejected"]


def _encoder(options: Predict, probe: Saved) -> str:
    """Return the encoder that the probe names, its weights checked before any image is read.

    Raises:
        CheckpointError: It is not there, or has other weights.
    """
    from remedis.models.load import open_encoder

    name = options.encoder or _place(probe) or str(probe.config.get("encoder"))
    try:
        found = open_encoder(name, random_weights=options.random_weights).hash
    except RemedisError as error:
        hint = "" if options.encoder else "; --encoder says where the probe's encoder lies now"
        raise CheckpointError(f"{error}{hint}") from error
    expected = probe.config.get("encoder_hash")
    if found != expected:
        raise CheckpointError(
            f"its weights are {found[:12]}…, the probe in {options.model} learnt from embeddings of "
            f"{str(expected)[:12]}…; --encoder names the right one",
            where=name,
        )
    return name


def _place(probe: Saved) -> str | None:
    """Return where the encoder lay, as noted in the probe's folder, if something lies there."""
    noted: Any = probe.config.get("encoder_at")
    path = (probe.folder / str(noted)).resolve()
    return str(path) if noted and path.is_dir() else None


def _write(out: Path, source: Source, probe: Saved) -> list[str]:
    words = seen.recognise(source.table, seen.load(probe.folder), dataset=source.data_set, root=source.root)
    table = rooted(saved.predictions(source.table, probe.scores(source.features), words), source, out)
    classes = {entry["label"]: entry["classes"] for entry in probe.config["labels"]}
    table = saved.with_model(table, encoder=str(probe.config.get("encoder")), method="logistic", classes=classes)
    with write_atomic(out) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return words


def _result(options: Predict, probe: Saved, words: list[str], rejected: int) -> Result:
    columns = [name for entry in probe.config["labels"] for name in entry["score_columns"]]
    left_out = f", {rejected:,} rejected" if rejected else ""
    lines = [f"wrote {options.out}: {counted(len(words), 'images')}{left_out}, {' '.join(columns)}"]
    known = sum(word != "no" for word in words)
    if known:
        lines.append(
            f"caution: {known:,} of them, or their patients, were seen when the probe was fitted (column seen); "
            "figures belong on the others"
        )
    data = {"out": str(options.out), "images": len(words), "scores": columns, "seen": known, "rejected": rejected}
    return Result(text="\n".join(lines), data=data, exit_status=1 if rejected > options.allow_rejected else 0)
