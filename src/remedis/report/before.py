"""What the same label gave with another encoder, on the same tested images: values, and their paired difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from remedis.errors import InputError, LabelError, UsageError
from remedis.evaluate.intervals import bootstrap, interval
from remedis.evaluate.intervals import plain as on_all_rows
from remedis.evaluate.metrics import Booleans, Floats, Integers, Ranking
from remedis.report.label_data import plain
from remedis.report.numbers import counted, figure, plural, span
from remedis.report.probe_folder import PLACE, ProbeFolder, is_probe, open_probe
from remedis.report.tested import Tested

Plain = dict[str, Any]
METRICS = ("auroc", "average_precision")
_ADVICE = "probe both with the same manifest, split and conditions"


def open_other(folder: Path, probe: ProbeFolder) -> ProbeFolder:
    """Return the probe that `probe` is compared with.

    Raises:
        UsageError: It is the same folder.
        InputError: It is no probe's folder, or a file in it is damaged.
    """
    if not is_probe(folder):
        raise InputError(
            "--before: a folder that remedis probe wrote was expected, it has no config.json and results.csv; run "
            "remedis probe",
            where=folder,
        )
    if folder.resolve() == probe.path.resolve():
        raise UsageError(f"--before {folder} is the probe that the page is of; name the probe of another encoder")
    return open_probe(folder)


def compared(probe: ProbeFolder, other: ProbeFolder) -> Plain:
    """Return each label's figures with both encoders (logistic regression), and the difference.

    The difference is `probe` less `other` in each draw of whole patients (clusters, images) of `probe`, the draws of
    `results.csv`; its limits are percentiles. Of several classes a figure is the mean, each against the rest.

    Raises:
        LabelError: `other` lacks a label, or knows other classes of it.
        InputError: It tested other rows, or gives them other classes.
    """
    draws, seed = probe.config["draws"], probe.config["seed"]
    pairs = [(tested, _scores_before(tested, other)) for tested in probe.tested]
    found = []
    for tested, scores in pairs:
        figures = paired(tested.truth, scores, tested.scores["logistic"], tested.units, draws=draws, seed=seed)
        fitted = [one.entry(tested.label)["counts"]["train"]["images"] for one in (other, probe)]
        found.append(_label(tested, figures, fitted, several=len(pairs) > 1))
    return {"draws": draws, "seed": seed, "labels": found}


def paired(
    truth: Booleans, before: Floats, after: Floats, units: Integers, *, draws: int, seed: int
) -> dict[str, Plain]:
    """Return AUROC and average precision of two models of the same rows, and their difference over the same draws.

    Args:
        truth: (n,) True for the positive class, or (n, K).
        before: Probabilities of the same shape.
        after: The other model's.
        units: (n,) what is drawn as a whole, 0 … units-1.
        draws: Bootstrap draws.
        seed: Of the draws.

    Returns:
        Metric to `before`, `after` and `difference`, each with `value`, `low`, `high` and `undefined` (draws left out
        because they lacked a class).
    """
    truth, count = truth.reshape(len(truth), -1), int(units.max()) + 1
    places = (
        np.flatnonzero(truth.any(axis=0)) if truth.shape[1] > 1 else [0]
    )  # classes that are there, as in results.csv
    rankings = {
        f"{name}{place}": Ranking(truth[:, place], scores.reshape(truth.shape)[:, place], units, METRICS)
        for name, scores in (("before", before), ("after", after))
        for place in places
    }
    values = {name: on_all_rows(ranking, count) for name, ranking in rankings.items()}
    drawn = bootstrap(rankings, count, draws=draws, seed=seed)
    found = {}
    for metric in METRICS:
        whole = {
            name: (
                float(np.mean([values[f"{name}{place}"][metric] for place in places])),
                np.mean([drawn[f"{name}{place}"][metric] for place in places], axis=0),
            )
            for name in ("before", "after")
        }
        whole["difference"] = tuple(new - old for old, new in zip(whole["before"], whole["after"], strict=True))
        found[metric] = {name: asdict(interval(*pair)) for name, pair in whole.items()}
    return found


def _scores_before(tested: Tested, other: ProbeFolder) -> Floats:
    """Return the other probe's scores of the tested rows, in their order."""
    theirs = next((entry for entry in other.tested if entry.label == tested.label), None)
    if theirs is None:
        has = ", ".join(entry.label for entry in other.tested)
        raise LabelError(f"--before: label {tested.label!r} was expected, the probe is of {has}", where=other.path)
    if theirs.classes != tested.classes:
        raise LabelError(
            f"--before: the classes of {tested.label!r} are {', '.join(theirs.classes)}, {', '.join(tested.classes)} "
            f"were expected (the last is the positive one of two); {_ADVICE}",
            where=other.path,
        )
    places = _places(tested, theirs, other.path)
    unlike = int((theirs.codes[places] != tested.codes).sum())
    if unlike:
        raise InputError(
            f"--before: {unlike:,} of the {len(places):,} tested images have another class of {tested.label!r} there; "
            f"{_ADVICE}",
            where=other.path,
        )
    return np.asarray(theirs.scores["logistic"][places])


def _places(tested: Tested, theirs: Tested, where: Path) -> Integers:
    """Return where each tested row stands among the other probe's."""
    known = {key: place for place, key in enumerate(_keys(theirs.table))}
    wanted = list(_keys(tested.table))
    common = sum(key in known for key in wanted)
    if common < len(wanted) or common < len(known):
        raise InputError(
            f"--before: {counted(len(known), 'images')} were tested for {tested.label!r}, {common:,} of them among the "
            f"{len(wanted):,} that this probe tested (by image and frame); the same images were expected, {_ADVICE}",
            where=where,
        )
    return np.array([known[key] for key in wanted], dtype=np.int64)


def _keys(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Yield what tells a row: image, frame, region, and how often the same stood before."""
    nothing = [None] * table.num_rows
    columns = [table[name].to_pylist() if name in table.column_names else nothing for name in PLACE]
    times: Counter[tuple[Any, ...]] = Counter()
    for key in zip(*columns, strict=True):
        yield (*key, times[key])
        times[key] += 1


def _label(tested: Tested, figures: dict[str, Plain], fitted: Sequence[int], *, several: bool) -> Plain:
    before, after = fitted
    found: Plain = plain({
        "label": tested.label,
        "chance": {"auroc": 0.5, "average_precision": float(tested.truth.mean()) if tested.binary else None},
        "n": len(tested.rows),
        "units": tested.unit_count,
        "unit_name": tested.unit_name,
        **figures,
        "fitted": {"before": before, "after": after},
    })  # fmt: skip
    metric = "AUROC" if tested.binary else f"mean AUROC of {len(tested.classes)} classes"
    beginning = f"{tested.label}: {metric}" if several else metric[:1].upper() + metric[1:]
    return found | {"sentence": f"{beginning} {_sentence(found)}"}


def _sentence(found: Plain) -> str:
    auroc, unit = found["auroc"], found["unit_name"]
    said = [
        f"{name} {figure(auroc[name]['value'])} ({span(auroc[name]['low'], auroc[name]['high'])})"
        for name in ("before", "after")
    ]
    on = counted(found["n"], "images")
    on += "" if unit == "images" else f" of {counted(found['units'], unit)}"
    change = f"{signed(auroc['difference']['value'])} ({limits(auroc['difference'])})"
    text = f"{', '.join(said)} on the same {on}; difference {change}, paired over {plural(unit)}."
    before, after = found["fitted"]["before"], found["fitted"]["after"]
    if before != after:
        text += f" Fitted on {counted(before, 'images')} before and {after:,} after: not the encoder alone has changed."
    return text


def limits(row: Plain) -> str:
    """Return the limits of a difference, `−0.010 to +0.078`."""
    return f"{signed(row['low'])} to {signed(row['high'])}"


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign, `+0.034`; 0 has none."""
    text = figure(value, digits)
    return f"+{text}" if value is not None and round(value, digits) > 0 else text
