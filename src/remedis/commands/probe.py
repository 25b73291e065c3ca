"""`remedis probe`: a label learnt from embeddings, its figures with intervals, and the fitted probe, in one folder."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from remedis.commands import probe_words
from remedis.console import QUIET, Console, Result
from remedis.data.files import read_json
from remedis.errors import UsageError, nearest
from remedis.evaluate import record, saved
from remedis.evaluate.probe import METHODS, Plan, Settings, plan, probe
from remedis.evaluate.record import Asked, Found
from remedis.evaluate.shortcuts import auroc_of_size, auroc_of_size_in_folds, size_features
from remedis.evaluate.sources import Source, open_source, refuse_other_encoder, settings_of
from remedis.evaluate.targets import check_excluded, target
from remedis.options.probe import Probe


def run(options: Probe, console: Console = QUIET) -> Result:
    """Probe `options.embeddings` and write the folder `options.out`.

    Returns:
        The figures in words, and as data.

    Raises:
        RemedisError: The embeddings, a label or the folder cannot be used; nothing was written.
    """
    asked = _asked(options)
    source, other, differing = _open(asked)
    if saved.holds(asked.out, record.job_of(asked, source, other)):
        return _result(asked, f"{asked.out} is there already, of the same job")
    plans = _plans(asked, source, other)
    seen = record.seen_rows(plans)
    _say(plans, asked, console)
    with console.track(sum(planned.steps for planned in plans), "steps", "probing") as track:
        probed = [probe(planned, asked.settings, done=track.advance) for planned in plans]
    size_alone = {planned.target.label: _size_alone(planned, asked.settings.seed) for planned in plans}
    found = Found(plans, probed, seen, _cautions(plans, differing, seen.words), size_alone)
    with saved.written(asked.out) as scratch:
        record.write(scratch, asked, found)
    return _result(asked, f"wrote {asked.out}: {', '.join(_files(asked))}")


def _asked(options: Probe) -> Asked:
    """Fill in what was not given, and check the numbers and the place."""
    for folder in filter(None, (options.embeddings, options.test)):
        if folder.resolve() in options.out.resolve().parents:
            raise UsageError(f"--out is {options.out}, inside the embeddings {folder}; choose a folder beside them")
    settings = Settings(
        methods=_methods(options.methods),
        draws=_at_least(1, options.draws, Settings.draws, "--draws"),
        folds=_at_least(2, options.folds, Settings.folds, "--folds"),
        neighbours=_at_least(1, options.k, Settings.neighbours, "--k"),
        seed=_at_least(0, options.seed, 0, "--seed"),
    )
    return Asked(
        out=options.out, embeddings=options.embeddings, test=options.test, settings=settings,
        labels=tuple(dict.fromkeys(options.label)), where=options.where, cluster=options.cluster,
        positive=options.positive, exclude=tuple(dict.fromkeys(options.exclude_class)),
    )  # fmt: skip


def _methods(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in METHODS:
            raise UsageError(f"--methods {name}: there is no such method, {nearest(name, METHODS)}")
    if names and "logistic" not in names:
        raise UsageError("--methods lacks logistic, which the saved probe is; logistic or logistic,knn was expected")
    return tuple(method for method in METHODS if not names or method in names)


def _at_least(least: int, given: int | None, default: int, option: str) -> int:
    value = default if given is None else given
    if value < least:
        raise UsageError(f"{option} is {value}, a whole number of at least {least} was expected")
    return value


def _open(asked: Asked) -> tuple[Source, Source | None, list[str]]:
    """Open what is learnt from and what is tested; the third is how they differ without harm."""
    source = open_source(asked.embeddings, where=asked.where, cluster=asked.cluster)
    if asked.test is None:
        return source, None, []
    other = open_source(asked.test, where=asked.where, cluster=asked.cluster, tested_whole=True)
    differing = refuse_other_encoder(settings_of(other.facts), settings_of(source.facts), where=other.where)
    return source, other, differing


def _plans(asked: Asked, source: Source, other: Source | None) -> list[Plan]:
    check_excluded(source.table, asked.labels, asked.exclude)
    targets = [
        target(source.table, label, positive=asked.positive, exclude=asked.exclude, where=source.where)
        for label in asked.labels
    ]
    return [plan(each, source, other, asked.settings, exclude=asked.exclude) for each in targets]


def _seen(plans: list[Plan], words: list[str]) -> list[str]:
    """Return a caution where tested rows of other embeddings, or their patients, were seen."""
    rows = {row for planned in plans for row in planned.parts.test.tolist()}
    count = sum(words[row] != "no" for row in rows)
    if not count:
        return []
    return [f"{count:,} of {len(rows):,} tested images, or their patients, were seen when the probe was fitted"]


def _cautions(plans: list[Plan], differing: list[str], seen: list[str]) -> list[str]:
    """Return what concerns all labels: of the encoder, of embeddings that differ, of rows that were seen."""
    sources = (plans[0].source, plans[0].tested_in)
    of_encoder = [str(text) for source in sources for text in source.facts.get("cautions", ())]
    return [*dict.fromkeys(of_encoder), *differing, *_seen(plans, seen)]


def _say(plans: list[Plan], asked: Asked, console: Console) -> None:
    source, tested_in = plans[0].source, plans[0].tested_in
    for planned in plans:
        entry = record.parts_of(planned)
        for line in probe_words.understood(
            entry, unit=source.units.name, test_unit=tested_in.units.name,
            test=str(asked.test) if asked.test else None, several=len(plans) > 1,
        ):  # fmt: skip
            console.say(line)
    for note in dict.fromkeys([*source.notes, *tested_in.notes]):
        console.warn(note)


def _size_alone(planned: Plan, seed: int) -> float | None:
    """Return the AUROC that width, height and aspect of the files reach on the tested rows, None where unknown."""
    learnt, looked_at = size_features(planned.source.table), size_features(planned.tested_in.table)
    if learnt is None or looked_at is None:
        return None
    train, test = planned.parts.train, planned.parts.test
    truth = planned.tested.truth(test)
    if planned.evaluation == "nested-cv":
        units, _ = planned.source.units.among(test)
        return auroc_of_size_in_folds(looked_at[test], planned.tested.codes[test], truth, units, seed=seed)
    return auroc_of_size((learnt[train], planned.target.codes[train]), (looked_at[test], truth))


def _files(asked: Asked) -> list[str]:
    return [record.RESULTS_NAME, *(record.PREDICTIONS_NAMES[method] for method in asked.settings.methods)]


def _result(asked: Asked, made: str) -> Result:
    """Return the figures as the folder holds them."""
    config, results = read_json(asked.out / saved.CONFIG_NAME), _results(asked.out)
    cautions = probe_words.cautions(config)
    lines = [
        *probe_words.table(config, results), *cautions,
        f"{made}   next: remedis report {asked.out} --out report.html",
    ]  # fmt: skip
    data = {
        "out": str(asked.out), "results": results, "labels": config["labels"],
        "cautions": [line.removeprefix("caution: ") for line in cautions],
    }  # fmt: skip
    return Result(text="\n".join(lines), data=data)


def _results(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of `results.csv`, numbers as numbers, None where a cell is empty."""
    texts = ("encoder", "method", "dataset", "label", "class", "metric")
    counts = ("seed", "n", "n_patients")
    with (folder / record.RESULTS_NAME).open(newline="", encoding="utf-8") as file:
        return [
            {
                name: cell if name in texts else None if not cell else int(cell) if name in counts else float(cell)
                for name, cell in row.items()
            }
            for row in csv.DictReader(file)
        ]
