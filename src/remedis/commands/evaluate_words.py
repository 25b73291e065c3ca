"""What `remedis evaluate` tells a person: which rows are used, the figures, and where thresholds came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from remedis.evaluate.evaluation import Planned
from remedis.evaluate.results import MACRO
from remedis.evaluate.tested_rows import Rows
from remedis.report.numbers import counted, figure, plural, span

TITLES = {
    "auroc": "AUROC", "average_precision": "average precision", "brier": "Brier score",
    "ece": "calibration error (ECE)",
}  # fmt: skip
Plain = Mapping[str, Any]
Row = tuple[str, str, str]


def understood(planned: Planned, *, several: bool) -> list[str]:
    """Return which rows choose, which are tested and which are left out, of one label."""
    name = f"{planned.label}: " if several else ""
    parts = [("validation", planned.validation), ("test", planned.test), ("other site", planned.out)]
    lines = [name + " · ".join(f"{words} {_counted(part)}" for words, part in parts if part is not None)]
    for words, left_out in (("left out", planned.chosen.left_out), ("left out elsewhere", planned.left_out_of_out)):
        if left_out:
            lines.append(f"{name}{words}: " + " · ".join(f"{count:,} ({why})" for why, count in left_out.items()))
    return lines


def _counted(part: Rows) -> str:
    rows = f"{len(part.units):,}"
    return rows if part.unit_name == "images" else f"{rows} / {counted(part.count, part.unit_name)}"


def table(facts: Plain, tables: Mapping[str, Sequence[Plain]]) -> list[str]:
    """Return the figures of every label as aligned lines, then what was chosen where."""
    lines = []
    names = [(entry, str(entry["label"])) for entry in facts["labels"]]
    for entry, label in names:
        heading = _heading(entry)
        rows = [*_discrimination(entry, tables), *_at_points(entry, tables), *_elsewhere(entry, tables)]
        rows += [*_against(label, tables), *_gaps(label, tables)]
        lines += _aligned(heading, rows, facts)
    if facts["several"]:
        own = {row["metric"]: row for row in _here(tables["results"], MACRO)}
        lines += _aligned(f"mean of {len(names)} labels", _titled(own), facts)
    lines += [_chosen(entry) for entry in facts["labels"]]
    if any(row["kind"] == "gap" for row in tables.get("subgroups", ())):
        lines.append(
            "a gap is between the groups that came out best and worst; it is the interaction itself, and 0 inside its "
            "interval means that none was shown"
        )
    return lines


def _heading(entry: Plain) -> str:
    label, classes = entry["label"], entry["classes"]
    if entry["kind"] == "multiclass":
        return f"{label}, mean of {len(classes)} classes"
    return str(label) if classes[1] == "1" else f"{label} = {classes[1]}"


def _aligned(heading: str, rows: Sequence[Row], facts: Plain) -> list[str]:
    width = max(len(heading), *(len(title) + 2 for title, _, _ in rows)) + 3
    values = max(5, *(len(value) for _, value, _ in rows))
    head = f"{heading:<{width}}{'value':<{values}}   95% interval ({plural(facts['unit'])}, {facts['draws']:,} draws)"
    return [head, *(f"  {title:<{width - 2}}{value:<{values}}   {limits}".rstrip() for title, value, limits in rows)]


def _titled(own: Mapping[str, Plain]) -> list[Row]:
    return [(title, *_cells(own[metric])) for metric, title in TITLES.items() if metric in own]


def _cells(row: Plain, value: str = "value") -> tuple[str, str]:
    return figure(row[value]), span(row["low"], row["high"]).replace("–", " … ")


def _here(table: Sequence[Plain], label: str) -> list[Plain]:
    """Return a label's rows of a table, those of the predictions themselves and not of the other site."""
    return [row for row in table if row["label"] == label and row["dataset"] == table[0]["dataset"]]


def _discrimination(entry: Plain, tables: Mapping[str, Sequence[Plain]]) -> list[Row]:
    found = _here(tables["results"], entry["label"])
    rows = _titled({row["metric"]: row for row in found if row["class"] == entry["macro"]})
    if entry["temperature"] is not None and entry["kind"] == "binary":
        for row in _here(tables["calibration"], entry["label"]):
            if row["scores"] == "scaled" and row["metric"] in ("brier", "ece"):
                title = f"{TITLES[row['metric']]}, T = {entry['temperature']:.3g}"
                rows.append((title, *_cells(row)))
    return rows


def _at_points(entry: Plain, tables: Mapping[str, Sequence[Plain]]) -> list[Row]:
    if entry["kind"] != "binary":
        return []
    return [
        (f"{row['metric']} at {row['rule']}", *_cells(row))
        for row in _here(tables.get("operating_points", ()), entry["label"])
        if row["metric"] in ("sensitivity", "specificity")
    ]


def _elsewhere(entry: Plain, tables: Mapping[str, Sequence[Plain]]) -> list[Row]:
    return [
        (f"other site less here: {_what(row)}", *_cells(row, "difference"))
        for row in tables.get("shift", ())
        if row["label"] == entry["label"] and row["class"] == entry["macro"]
        and row["metric"] in ("auroc", "sensitivity", "specificity")
    ]  # fmt: skip


def _what(row: Plain) -> str:
    return f"{row['metric']} at {row['rule']}" if row["rule"] else "AUROC"


def _against(label: str, tables: Mapping[str, Sequence[Plain]]) -> list[Row]:
    found = []
    for row in tables.get("comparison", ()):
        if row["label"] == label and row["metric"] == "auroc":
            value, limits = _cells(row, "difference")
            p, adjusted = _p(row["p_permutation"]), _p(row["p_permutation_holm"])
            found.append(("this model less the other: AUROC", value, f"{limits}   p {p}, by Holm {adjusted}"))
    return found


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _gaps(label: str, tables: Mapping[str, Sequence[Plain]]) -> list[Row]:
    return [
        (f"AUROC gap by {row['column']}: {row['group']} − {row['against']}", *_cells(row))
        for row in tables.get("subgroups", ())
        if row["label"] == label and row["kind"] == "gap" and row["metric"] == "auroc"
    ]


def _chosen(entry: Plain) -> str:
    """Return where the thresholds and the temperature came from."""
    label, validation = entry["label"], entry["counts"]["validation"]
    places = {each["chosen_on"] for each in entry["thresholds"]}
    if "validation" in places and validation is not None:
        own = [each for each in entry["thresholds"] if not each["class"]]
        listed = ", ".join(f"{each['rule']} {each['threshold']:.3g}" for each in own)
        chosen = f"{label}: thresholds and T were chosen on {validation['rows']:,} validation rows"
        return f"{chosen} ({listed})" if listed else chosen
    return (
        f"{label}: there are no validation rows to choose on, so the operating points are those of the tested rows "
        "themselves: descriptive, too good for new patients; no temperature was fitted"
    )
