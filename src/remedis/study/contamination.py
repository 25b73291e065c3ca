"""Whether an encoder has met what it is tested on: the data set by its name, patients, slides and pictures by rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from remedis.console import QUIET, Console
from remedis.data.audit_files import equal_files
from remedis.data.conditions import as_text
from remedis.data.decoded import Decoded, decode_all
from remedis.data.finding import Finding, Severity, finding_of
from remedis.data.indexers.words import counted
from remedis.data.manifest import Manifest
from remedis.data.near_duplicates import pairs_alike
from remedis.data.splits import split_column
from remedis.evaluate import seen
from remedis.models import zoo
from remedis.models.learnt import Learnt
from remedis.models.overlaps import overlap

_LISTED = 3


@dataclass(frozen=True)
class Tested:
    """The rows that figures will be of.

    Attributes:
        rows: The test part, or all rows where there is no split.
        decoded: Their pixels; None where only headers are read.
        words: What they are, for a sentence.
    """

    rows: Manifest
    decoded: Decoded | None
    words: str


def rows_tested(rows: Manifest, decoded: Decoded | None = None) -> Tested:
    """Return the test part of a manifest; all rows where no split is said or no row is test.

    Args:
        rows: The manifest.
        decoded: Its pixels; without them files are compared by their bytes.
    """
    words = split_column(rows.table).words
    chosen = np.arange(0)
    if words is not None:
        chosen = np.flatnonzero(np.array(words.to_pylist(), dtype=object) == "test")
    if not len(chosen):
        return Tested(rows, decoded, "rows")
    return Tested(rows.select(chosen), decoded.among(chosen) if decoded is not None else None, "test part")


def contamination(tested: Tested, learnt: Learnt, console: Console = QUIET) -> Iterator[Finding]:
    """Find what the tested rows share with what an encoder has learnt from.

    Patients, slides and pictures that it learnt with labels are an error: what is measured is memory. Without labels
    they are a warning, for such a test is transductive; so is a data set of which only the name is known.

    Args:
        tested: From `rows_tested`.
        learnt: From `remedis.models.learnt`.
        console: Where progress is shown.
    """
    learnt, found = _by_keys(tested, learnt)
    yield from found
    if learnt.rows is None:
        yield from _by_name(tested.rows.data_set, learnt)
        return
    others = tuple(name for name in learnt.seen if name != learnt.rows.data_set)
    yield from _by_name(tested.rows.data_set, Learnt(learnt.name, others))
    severity: Severity = "error" if learnt.labelled else "warning"
    how = "with labels" if learnt.labelled else "without labels as far as is known"
    behind = f"of the {tested.words} {{verb}} among what {learnt.name} has learnt from, {how}"
    for column, one, several in (("patient_id", "patient", "patients"), ("slide_id", "slide", "slides")):
        shared = sorted(_names(tested.rows, column) & _names(learnt.rows, column))
        if shared:
            who = [name for _, name in shared]
            yield finding_of("contamination", severity, _sentence(len(who), one, several, behind), who)
    pictures = _pictures(tested, learnt.rows, console)
    if pictures:
        yield finding_of("contamination", severity, _sentence(len(pictures), "picture", "pictures", behind), pictures)
    if not _is_same_set(tested.rows, learnt.rows) and (said := overlap(tested.rows.data_set, learnt.rows.data_set)):
        yield Finding("contamination", "warning", f"{learnt.name}: {said}")


def same_ids(tested: Tested, learnt: Learnt) -> str | None:
    """Return a note where patients of two sites have the same names, which may or may not be the same people."""
    if learnt.rows is None or _names(tested.rows, "patient_id") & _names(learnt.rows, "patient_id"):
        return None
    ours, theirs = ({name for _, name in _names(rows, "patient_id")} for rows in (tested.rows, learnt.rows))
    both = sorted(ours & theirs)
    if not both:
        return None
    return (
        f"{counted(len(both), 'patient_id stands', 'values of patient_id stand')} both here and in what {learnt.name} "
        f"has learnt from ({', '.join(both[:_LISTED])}), at other sites: other people, unless the column site is wrong"
    )


def _by_keys(tested: Tested, learnt: Learnt) -> tuple[Learnt, list[Finding]]:
    """Return what a run learnt from with the rows that its keys name alone; where its manifest is gone, a finding."""
    if learnt.keys is None:
        return learnt, []
    remembered = seen.load(learnt.keys)
    rows = tested.rows if learnt.rows is None else learnt.rows
    words = np.array(seen.recognise(rows.table, remembered, dataset=rows.data_set, root=rows.root))
    if learnt.rows is not None:
        return replace(learnt, rows=rows.select(np.flatnonzero(words == "train"))), []
    names = rows.table["image"].take(np.flatnonzero(words == "train")).to_pylist()
    if not names:
        return learnt, []
    what = f"{counted(len(names), 'image')} of the {tested.words}, or their patients, are among what {learnt.name} has "
    return learnt, [finding_of("contamination", "error", f"{what}learnt from, with labels", names)]


def _sentence(count: int, one: str, several: str, behind: str) -> str:
    return f"{counted(count, one, several)} {behind.format(verb='is' if count == 1 else 'are')}"


def _by_name(data_set: str, learnt: Learnt) -> Iterator[Finding]:
    said: set[str] = set()
    for name in learnt.seen:
        known = zoo.contaminated(data_set, [name]) or overlap(data_set, name)
        if known and known not in said:
            said.add(known)
            yield Finding("contamination", "warning", f"{learnt.name}: {known}")


def _is_same_set(one: Manifest, other: Manifest) -> bool:
    """Return whether two manifests are of one data set, whose rows are compared one by one."""
    return one.data_set == other.data_set


def _names(rows: Manifest, column: str) -> set[tuple[str, str]]:
    """Return the (site, name) pairs of a column of patients or slides; a row without site is of the data set's."""
    if column not in rows.table.column_names:
        return set()
    names = rows.table[column].to_pylist()
    sites: Sequence[object] = (
        rows.table["site"].to_pylist() if "site" in rows.table.column_names else [None] * len(names)
    )
    pairs = ((as_text(site) or rows.data_set, as_text(name)) for site, name in zip(sites, names, strict=True))
    return {pair for pair in pairs if pair[1]}


def _pictures(tested: Tested, other: Manifest, console: Console) -> list[str]:
    """Return the tested pictures that the other manifest holds too, nearly at least where pixels are compared."""
    if tested.decoded is None:
        return [f"{one.name} = {another.name}" for one, another in equal_files(tested.rows, other)]
    decoded = decode_all(other, console)
    pairs, correlations = pairs_alike(tested.decoded, decoded)
    best: dict[int, tuple[float, str]] = {}
    for (one, another), value in zip(pairs.tolist(), correlations.tolist(), strict=True):
        best[one] = max(best.get(one, (0.0, "")), (value, decoded.sources[another].name))
    return [f"{tested.decoded.sources[one].name} ≈ {name} ({value:.4f})" for one, (value, name) in best.items()]
