"""What should be known before anything is learnt or tested: faults of a manifest, shortcuts, copies, contamination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from remedis.console import QUIET, Console
from remedis.data.audit import audit
from remedis.data.decoded import Decoded, decode_all
from remedis.data.finding import Finding, finding_of
from remedis.data.indexers.words import counted
from remedis.data.manifest import Manifest
from remedis.data.near_duplicates import of_near_duplicates
from remedis.data.readers import image_size
from remedis.data.tfrecord import record_name
from remedis.data.trivial import trivial_features
from remedis.errors import LabelError
from remedis.evaluate.parts import units_of
from remedis.evaluate.shortcuts import SHORTCUT, Alone, alone
from remedis.evaluate.targets import target
from remedis.models.learnt import Learnt, rows_of
from remedis.study.contamination import contamination, rows_tested, same_ids

CHANCE = 0.5
UNREADABLE = ("missing", "header", "unreadable")
"""Kinds of findings that are files without pixels."""


def audit_all(
    rows: Manifest,
    labels: Sequence[str],
    *,
    encoders: Sequence[Learnt] = (),
    others: Sequence[Manifest] = (),
    decode: bool = True,
    console: Console = QUIET,
) -> list[Finding]:
    """Return all that is found about a manifest, errors first.

    Args:
        rows: The manifest.
        labels: Label columns that will be learnt.
        encoders: What the encoders have learnt from, see `remedis.models.learnt`.
        others: Further manifests that an encoder was pretrained on.
        decode: Decode every picture: finds unreadable ones, near-duplicates, and what brightness alone tells. Without
            it headers and bytes are looked at.
        console: Where progress goes, and what is no finding but worth a line.

    Raises:
        ManifestError: There is no such label column.
    """
    found = audit(rows, labels, console=console)
    decoded = decode_all(rows, console) if decode else None
    if decoded is not None:
        found += [*_unreadable(decoded), *of_near_duplicates(rows, decoded)]
    found += [each for label in labels for each in of_shortcuts(rows, label, decoded, console)]
    learnt = [*encoders, *(rows_of(other, f"an encoder pretrained on {other.path or other.root}") for other in others)]
    if learnt:
        tested = rows_tested(rows, decoded)
        for each in learnt:
            for note in filter(None, (*each.notes, same_ids(tested, each))):
                console.say(note)
            found += contamination(tested, each, console)
    return sorted(found, key=lambda finding: finding.severity)


def of_shortcuts(
    rows: Manifest, label: str, decoded: Decoded | None = None, console: Console = QUIET
) -> Iterator[Finding]:
    """Find what tells a label without a look at what the images show; say on the console what stays below the line.

    Args:
        rows: The manifest.
        label: The label's column.
        decoded: The pixels, for brightness.
        console: Where the other figures go.
    """
    try:
        found = target(rows.table, label)
    except LabelError:
        return
    groups = {group.name: group for group in trivial_features(rows, decoded) if group.name != label}
    features = {name: group.features for name, group in groups.items() if group.shortcut}
    known = {name: group.features for name, group in groups.items() if not group.shortcut}
    units = units_of(rows.table, None)
    for each in alone(features, found, units.codes):
        words = groups[each.feature].words
        if each.telling:
            own = ", which a disease can change too" if each.feature == "brightness" else ""
            said = f"{_said(label, words, each, units.name)}{own}; compare every figure with that"
            yield Finding("shortcut", "warning", said, each.images)
        elif each.auroc >= SHORTCUT:
            console.say(f"{_said(label, words, each, units.name)}, which can be chance (p {each.adjusted:.2f} by Holm)")
        else:
            console.say(_said(label, words, each, units.name))
    for each in alone(known, found, units.codes):
        console.say(_said(label, groups[each.feature].words, each, units.name))


def _said(label: str, words: str, each: Alone, units: str) -> str:
    several = " and " in words
    if each.auroc < CHANCE:  # scores of several fits fall below it where there is nothing to learn
        return f"{label}: {words} alone {'tell' if several else 'tells'} nothing (AUROC {each.auroc:.2f} in folds)"
    verb = "reach" if several else "reaches"
    of = counted(each.units, units.removesuffix("s"), units)
    return f"{label}: {words} alone {verb} AUROC {each.auroc:.2f} ({each.low:.2f} to {each.high:.2f}, {of})"


def _unreadable(decoded: Decoded) -> Iterator[Finding]:
    """Find pictures whose pixels cannot be decoded; files that are missing or have no header are found elsewhere."""
    names = [
        source.name if source.record is None else record_name(source.name, source.record)
        for source, _ in decoded.unreadable
        if source.path.is_file() and (source.record is not None or image_size(source.path) is not None)
    ]
    if names:
        message = f"{counted(len(names), 'picture')} cannot be decoded"
        yield finding_of("unreadable", "error", message, names)
