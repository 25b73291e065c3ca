"""How numbers are written on the page: few digits, true minus and dash, thousands apart."""

from __future__ import annotations

import math
from typing import Any

NOTHING = "–"


def figure(value: float | None, digits: int = 3) -> str:
    """Return `0.953`, or a dash where there is no value."""
    if value is None or math.isnan(value):
        return NOTHING
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def span(low: float | None, high: float | None, digits: int = 3) -> str:
    """Return `0.921–0.978`, or a dash where there are no limits."""
    if low is None or high is None:
        return NOTHING
    return f"{figure(low, digits)}–{figure(high, digits)}"


def count(value: int | None) -> str:
    """Return `2,000`, or a dash."""
    return NOTHING if value is None else f"{value:,}"


def share(part: float, whole: float) -> str:
    """Return `67%`; a dash of nothing."""
    return NOTHING if not whole else f"{part / whole:.0%}"


def counted(value: int, noun: str) -> str:
    """Return `1 image`, `233 images`, `57 patients` or `8 values of field`: a count with its plural noun.

    Args:
        value: How many.
        noun: `images`, `patients`, another plural, or a column's name as it is.
    """
    if noun in ("images", "patients", "clusters", "classes", "points", "values"):
        singular = {"classes": "class"}.get(noun, noun[:-1])
        return f"{value:,} {singular if value == 1 else noun}"
    return f"{value:,} {'value' if value == 1 else 'values'} of {noun}"


def score(value: float) -> str:
    """Return a probability with two digits, with three near its ends, and `< 0.001` or `> 0.999` beyond."""
    if value < 0.001:
        return "< 0.001"
    if value > 0.999:
        return "> 0.999"
    return f"{value:.2f}" if 0.01 <= value <= 0.99 else f"{value:.3f}"


def class_words(label: str, name: str) -> str:
    """Return what a class is called: `pneumonia: yes` and `pneumonia: no` where cells hold 1 and 0, else its name."""
    return {"0": f"{label}: no", "1": f"{label}: yes"}.get(name, name)


def class_word(name: str) -> str:
    """Return the same where the label stands beside it: `yes` and `no` for cells of 1 and 0."""
    return {"0": "no", "1": "yes"}.get(name, name)


def plural(unit: str) -> str:
    """Return `patients`, `images`, or `values of COLUMN`: what is kept whole, in words."""
    return unit if unit in ("patients", "images") else f"values of {unit}"


def percent(value: float | None) -> str:
    """Return a share as a CSS or SVG length, `95.3%`."""
    return "0%" if value is None else f"{100 * min(max(value, 0.0), 1.0):.2f}%"


def p_words(value: float | None) -> str:
    """Return a p value with three digits, `< 0.001` below."""
    return "–" if value is None else "< 0.001" if value < 0.001 else figure(value)


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign."""
    text = figure(value, digits)
    return f"+{text}" if value is not None and value > 0 and text[0].isdigit() and float(text) else text


def signed_span(low: float | None, high: float | None) -> str:
    """Return `−0.010 to +0.040`."""
    return "–" if low is None or high is None else f"{signed(low)} to {signed(high)}"


def ends(low: float | None, high: float | None) -> str:
    """Return `0.921–0.978`, with words between where a sign would run into the dash."""
    return f"{figure(low)} to {figure(high)}" if low is not None and low < 0 else span(low, high)


FILTERS: dict[str, Any] = {
    "figure": figure, "span": span, "count": count, "percent": percent, "score": score,
    "signed": signed, "signed_span": signed_span, "p_words": p_words, "ends": ends,
}  # fmt: skip
