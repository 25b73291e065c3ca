"""`remedis index check`: what makes results wrong, one line a finding."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from remedis.console import QUIET, Console, Result
from remedis.data.audit import Finding, audit
from remedis.data.indexers.words import counted
from remedis.data.inputs import open_any
from remedis.data.manifest import Manifest
from remedis.errors import LabelError
from remedis.evaluate.parts import learnable, refuse_untestable, split_parts, split_words, units_of
from remedis.evaluate.targets import check_excluded, target
from remedis.options.index import IndexCheck
from remedis.report.shortcuts import auroc_of_size, auroc_of_size_in_folds, size_features

SHORTCUT = 0.6
"""AUROC of size and aspect from which it is a finding; without a shortcut it is about 0.5."""


def run(options: IndexCheck, console: Console = QUIET) -> Result:
    """Return what is wrong with `options.manifest`.

    Returns:
        The findings; exit status 1 where one is an error.

    Raises:
        RemedisError: The manifest cannot be read, or has no such label.
    """
    rows = open_any(options.manifest, root=options.root, where=options.where)
    if options.exclude_class:
        check_excluded(rows.table, options.label, options.exclude_class)
        rows = rows.where([f"{label}!={name}" for label in options.label for name in options.exclude_class])
    found = audit(rows, options.label, console=console)
    for label in options.label:
        auroc = size_alone(rows, label)
        if auroc is not None and auroc >= SHORTCUT:
            message = f"{label}: image size and aspect alone reach AUROC {auroc:.2f}; compare every figure with that"
            found.append(Finding("shortcut", "warning", message))
        elif auroc is not None:
            console.say(f"{label}: image size and aspect alone reach AUROC {auroc:.2f}")
    errors = sum(finding.severity == "error" for finding in found)
    console.say(
        f"{counted(len(rows), 'row')} checked: {counted(errors, 'error')}, {counted(len(found) - errors, 'warning')}"
    )
    data = {
        "manifest": str(options.manifest),
        "rows": len(rows),
        "errors": errors,
        "findings": [asdict(finding) for finding in found],
    }
    text = "\n".join(finding.line for finding in found) or "no findings"
    return Result(text=text, data=data, exit_status=1 if errors else 0)


def size_alone(rows: Manifest, label: str) -> float | None:
    """Return the AUROC that width, height and aspect reach on the tested rows, None where it cannot be told.

    With a split it is learnt on train and told on test, else in folds by patient.
    """
    features = size_features(rows.table)
    if features is None:
        return None
    try:
        found = target(rows.table, label)
        words = split_words(rows.table)
        if words is None:
            known = found.known
            units, _ = units_of(rows.table, None).among(known)
            return auroc_of_size_in_folds(features[known], found.codes[known], found.truth(known), units, seed=0)
        parts = split_parts(found, words)
        found = learnable(found, parts)
        parts = split_parts(found, words)
        refuse_untestable(found, parts)
    except LabelError:
        return None
    train, test = parts.train, parts.test
    return auroc_of_size((features[train], np.asarray(found.codes[train])), (features[test], found.truth(test)))
