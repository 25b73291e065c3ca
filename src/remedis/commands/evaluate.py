"""`remedis evaluate`: how good predictions are, at choices frozen before the test, in one folder of tables."""

from __future__ import annotations

from pathlib import Path

from remedis.commands import evaluate_words
from remedis.console import QUIET, Console, Result
from remedis.data.files import scratch_folder
from remedis.errors import UsageError
from remedis.evaluate import evaluation_folder as folder
from remedis.evaluate.evaluation import PREVALENCES, RULES, Settings, evaluate, plan
from remedis.evaluate.evaluation_folder import Asked
from remedis.evaluate.evaluation_read import open_evaluation
from remedis.evaluate.operating import rule
from remedis.evaluate.predictions import Predictions, like, open_predictions
from remedis.evaluate.subgroups import AGE_BANDS, COLUMNS, age_bands
from remedis.options.evaluate import Evaluate
from remedis.report.of_evaluation import PAGE, write_page

_DRAWN = ("roc", "reliability")
"""Tables of curves, which the page draws; too long to print."""


def run(options: Evaluate, console: Console = QUIET) -> Result:
    """Evaluate `options.predictions` and write the folder `options.out`.

    Returns:
        The figures in words, and as data.

    Raises:
        RemedisError: The predictions, an option or the folder cannot be used; nothing was written.
    """
    asked = _asked(options)
    if folder.holds(asked.out, folder.job_of(asked)):
        return _result(asked.out, f"{asked.out} is there already, of the same job")
    planned = plan(asked.predictions, asked.settings, out=asked.ood, other=asked.compare)
    for each in planned:
        for line in evaluate_words.understood(each, several=len(planned) > 1):
            console.say(line)
    with console.track(len(planned) + 1, "steps", "evaluating") as track:
        found = evaluate(planned, asked.settings, done=track.advance)
    with scratch_folder(asked.out) as scratch:
        folder.write(scratch, asked, found)
        write_page(scratch, out=asked.out)
    return _result(asked.out, f"wrote {asked.out}")


def _asked(options: Evaluate) -> Asked:
    """Check the options and open the files."""
    draws = _at_least(1, Settings.draws if options.draws is None else options.draws, "--draws")
    rules = tuple(dict.fromkeys(rule(text) for text in options.at)) or RULES
    for value in options.prevalence:
        if not 0 < value < 1:
            raise UsageError(f"--prevalence {value:g}: a share above 0 and below 1 was expected, such as 0.01")
    for name, path in (("--ood", options.ood), ("--compare", options.compare)):
        if path is not None and path.resolve() == options.predictions.resolve():
            raise UsageError(f"{name} is {path}, the predictions themselves; other predictions were expected")
    bands = options.age_bands or AGE_BANDS
    age_bands(bands)
    predictions = open_predictions(
        options.predictions, labels=options.label, positive=options.positive, where=options.where
    )
    settings = Settings(
        rules=rules,
        prevalences=tuple(dict.fromkeys(options.prevalence)) or PREVALENCES,
        per=options.per,
        how=options.aggregate,
        cluster=options.cluster,
        subgroups=_subgroups(options, predictions),
        bands=bands,
        draws=draws,
        seed=_at_least(0, options.seed, "--seed"),
    )
    return Asked(
        out=options.out, settings=settings, predictions=predictions, where=options.where, positive=options.positive,
        ood=None if options.ood is None else like(options.ood, predictions),
        compare=None if options.compare is None else like(options.compare, predictions),
    )  # fmt: skip


def _at_least(least: int, value: int, option: str) -> int:
    if value < least:
        raise UsageError(f"{option} is {value}, a whole number of at least {least} was expected")
    return value


def _subgroups(options: Evaluate, predictions: Predictions) -> tuple[str, ...]:
    """Return what was asked for, or the usual columns that are there with two values or more."""
    if options.subgroups:
        return tuple(dict.fromkeys(options.subgroups))
    table = predictions.table
    return tuple(
        name for name in COLUMNS if name in table.column_names and len(table[name].drop_null().unique()) > 1
    )  # fmt: skip


def _result(out: Path, made: str) -> Result:
    """Return the figures as the folder holds them."""
    found = open_evaluation(out)
    facts = found.facts
    lines = [*evaluate_words.table(facts, found.tables), *(f"caution: {text}" for text in facts["cautions"])]
    page = [PAGE] if (out / PAGE).is_file() else []
    lines.append(f"{made}: {', '.join([*page, *(f'{name}.csv' for name in found.tables), folder.FACTS_NAME])}")
    data = {"out": str(out), "labels": facts["labels"], "cautions": facts["cautions"]}
    data |= {name: rows for name, rows in found.tables.items() if name not in _DRAWN}
    return Result(text="\n".join(lines), data=data)
