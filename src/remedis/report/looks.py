"""What charts, tables and cards of a label share: colours, names, and on how many images it stands."""

from __future__ import annotations

from typing import Any

from remedis.report.colours import series_name
from remedis.report.numbers import counted

Plain = dict[str, Any]
METHODS = {"logistic": "logistic regression", "knn": "nearest neighbours"}


def class_colour(data: Plain, name: str) -> int:
    """Return which of the palette's colours a class has; the positive one of two comes first."""
    place: int = data["classes"].index(name)
    return 1 - place if data["kind"] == "binary" else place


def on(data: Plain) -> str:
    """Return on what a label's figures stand: `233 images of 179 patients`."""
    words = counted(data["n"], "images")
    return words if data["unit_name"] == "images" else f"{words} of {counted(data['units'], data['unit_name'])}"


def css_colour(data: Plain, curve: Plain) -> str:
    """Return a curve's colour as CSS has it."""
    if data["kind"] != "binary":
        return f"var(--{series_name(class_colour(data, curve['class']))})"
    return "var(--muted)" if curve["method"] == "knn" else "var(--accent)"


def curve_name(data: Plain, curve: Plain) -> str:
    """Return what a curve is called in a legend."""
    return str(METHODS[curve["method"]] if data["kind"] == "binary" else curve["class"])


def row_of(data: Plain, metric: str, name: str) -> Plain | None:
    """Return the row of results of the logistic probe."""
    wanted = (metric, "logistic", name)
    return next((row for row in data["results"] if (row["metric"], row["method"], row["class"]) == wanted), None)
