"""Who was left out and why, from the manifest's rows to the tested ones, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from remedis.report.naming import condition_shown
from remedis.report.numbers import counted

Plain = dict[str, Any]
PARTS = {
    "train": "learnt from",
    "validation": "chose the penalty",
    "test": "tested",
    "folds": "learnt from and tested in folds",
}


def flow(data: Plain, entry: Mapping[str, Any], source: Plain, other: Plain | None) -> list[Plain]:
    """Return the steps of a label's flow diagrams, one diagram for each set of embeddings.

    Args:
        data: From `label_data`.
        entry: What the probe's settings say of the label: `counts` and `left_out`.
        source: From `source_facts`, of the embeddings that were learnt from.
        other: The same of other embeddings that were tested, or None.
    """
    counts = dict(entry["counts"])
    unit = data["unit_name"]
    if other is None:
        folds = entry["evaluation"] == "nested-cv"
        counts |= {"folds": counts["test"]}
        wanted = ("folds",) if folds else ("train", "validation", "test")
        return [_diagram(source, entry["left_out"], _boxes(counts, wanted, unit))]
    return [
        _diagram(source, entry["left_out"], _boxes(counts, ("train", "validation"), unit)),
        _diagram(other, entry.get("left_out_of_test", {}), _boxes(counts, ("test",), unit)),
    ]


def source_facts(
    name: str,
    facts: Mapping[str, Any],
    rows: int | None,
    conditions: Sequence[str],
    *,
    names: bool,
    before: Mapping[str, int] | None = None,
) -> Plain:
    """Return what a diagram needs to know of embeddings.

    Args:
        name: The manifest's.
        facts: Of the embeddings folder; empty where it is gone.
        rows: Rows after the conditions, or None.
        conditions: `COLUMN=VALUE` that kept them.
        names: Whether identifying values are shown.
        before: Reason and number of what the manifest itself left out.
    """
    job = facts.get("job", {})
    words, chosen = (
        " and ".join(condition_shown(condition, names=names) for condition in some)
        for some in (conditions, job.get("where", ()))
    )
    return {
        "name": name,
        "listed": job.get("rows"),
        "chosen": f", those with {chosen}" if chosen else "",
        "rejected": facts.get("rejected", 0),
        "kept": rows,
        "conditions": words,
        "before": [{"why": why, "count": count} for why, count in dict(before or {}).items() if count],
    }


def _diagram(source: Plain, left_out: Mapping[str, int], parts: list[Plain]) -> Plain:
    used = sum(part["images"] for part in parts)
    steps: list[Plain] = []
    if source["listed"] is not None:
        unread = source["rejected"]
        steps.append(
            _step(
                source["listed"], f"images taken from {source['name']}{source['chosen']}", {"could not be read": unread}
            )
        )
        embedded = source["listed"] - unread
        if source["kept"] is not None:
            steps.append(
                _step(
                    embedded,
                    "images embedded",
                    {f"rows other than {source['conditions']}": embedded - source["kept"]},
                )
            )
    known = source["kept"] if source["kept"] is not None else used + sum(left_out.values())
    if left_out or not steps:
        steps.append(_step(known, "images looked at for this label", left_out))
    return {"before": source["before"], "steps": steps, "parts": parts, "used": used}


def _step(images: int, name: str, out: Mapping[str, int]) -> Plain:
    return {
        "images": images,
        "name": name,
        "out": [{"why": why, "count": count} for why, count in out.items() if count],
    }


def _boxes(counts: Mapping[str, Any], wanted: Sequence[str], unit: str) -> list[Plain]:
    return [
        {
            "name": PARTS[part],
            "tested": part in ("test", "folds"),
            "images": counts[part]["images"],
            "units_words": "" if unit == "images" else counted(counts[part]["units"], unit),
        }
        for part in wanted
        if counts.get(part, {}).get("images")
    ]
