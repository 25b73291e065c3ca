"""The page: plain values, charts and thumbnails in one HTML file that loads nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from remedis.report import colours, figures
from remedis.report.colours import series_name
from remedis.report.dressing import class_colour, css_colour, curve_name, dressed
from remedis.report.map_page import dressed_map
from remedis.report.numbers import FILTERS, class_words, counted, plural
from remedis.report.thumbnails import Sheet

Plain = dict[str, Any]
TEMPLATES = Path(__file__).parent / "templates"
_LIMITS = (-0.005, 1.005)
_KINDS = {
    "right": ("Surest and right", "{right} of {n} tested images are called what they are. The surest of them, classes in turn. {score}"),
    "wrong": ("Surest and wrong", "{wrong} of {n} tested images are called something else. The surest of them: look here for wrong "
              "labels, markers and tubes, and what the model cannot see."),
    "nearest": ("Nearest to the threshold", "Where the model cannot tell; a small change would call them otherwise."),
}  # fmt: skip


def render(data: Plain, sheet: Sheet, *, images: bool, json_name: str) -> str:
    """Return the page.

    Args:
        data: From `page_data`.
        sheet: Thumbnails of the images it shows.
        images: Whether pixels are shown.
        json_name: Name of the file with the unrounded values.
    """
    labels = [_label(entry, number, sheet) for number, entry in enumerate(data["labels"])]
    seen_map = dressed_map(data, sheet) if data["map"] else None
    page: str = (
        _environment()
        .get_template("page.html")
        .render(
            report=data | _words(data, sheet, images=images, json_name=json_name),
            labels=labels,
            map=seen_map,
            map_css=Markup(seen_map["css"] if seen_map else ""),
            sheet=sheet,
            images=images,
            css=Markup(_css()),
            js=Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
            script_data=_script_data(data, seen_map),
            ticks=ticks,
        )
    )
    return page + "\n"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment


def ticks(start: float) -> list[float]:
    """Return the marks of a scale from `start` to 1: at every tenth, or every fifth where it is long."""
    step = 1 if start >= 0.5 else 2
    first = -(-round(start * 10) // step) * step
    return [tenth / 10 for tenth in range(first, 11, step)]


def _css() -> str:
    def listed(accent: str, series: tuple[str, ...], other: str) -> str:
        pairs = [f"--accent: {accent};", f"--other: {other};"]
        return " ".join(pairs + [f"--{series_name(number)}: {colour};" for number, colour in enumerate(series)])

    text = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    text = text.replace("__LIGHT__", listed(colours.ACCENT_LIGHT, colours.SERIES_LIGHT, "#9aa1a8"))
    return text.replace("__DARK__", listed(colours.ACCENT_DARK, colours.SERIES_DARK, "#69727b"))


def _words(data: Plain, sheet: Sheet, *, images: bool, json_name: str) -> Plain:
    first = data["labels"][0]
    unit = plural(first["unit_name"])
    known = [answer["low"] for answer in data["answers"] if answer["low"] is not None]
    return {
        "title": f"{', '.join(label['label'] for label in data['labels'])} · {data['dataset']} · remedis",
        "headline": _headline(data),
        "caution": data["cautions"][0],
        "start": _start(known),
        "answers": [
            answer | {"start": _start([row["low"] if row["low"] is not None else row["value"] for row in answer["ladder"]]), "caution": data["cautions"][0]}
            for answer in data["answers"]
        ],
        "lead": "A ranking that is always right has an AUROC of 1, one by chance 0.5. Move over a curve to read it.",
        "intervals": f"Intervals are 95% percentile bootstrap intervals over {unit}; that of the calibration error is corrected "
        "for the bias of resampling.",
        "image_lead": _image_lead(data, sheet, images=images),
        "no_map": f"There is no map: {data['embeddings_gone']}." if data["embeddings_gone"] else "",
        "json_name": json_name,
    }  # fmt: skip


def _headline(data: Plain) -> str:
    values = [answer["value"] for answer in data["answers"] if answer["value"] is not None]
    return (
        f"AUROC from {min(values):.2f} to {max(values):.2f} over {len(data['answers'])} labels"
        if values
        else "No figures"
    )


def _start(lows: list[Any]) -> float:
    lowest = min([low for low in lows if low is not None], default=0.5)
    return max(0.0, min(0.5, int(lowest * 10) / 10))


def _image_lead(data: Plain, sheet: Sheet, *, images: bool) -> str:
    words = "Figures hide what a look shows."
    if not images:
        words += " This page was made without pictures."
    if not data["names"]:
        words += " Numbers are the images’ rows, so that files and patients stay unnamed."
    if sheet.unreadable:
        words += f" {counted(sheet.unreadable, 'images')} could not be read any more; where the files have moved, --root says where to."
    return words


def _label(data: Plain, number: int, sheet: Sheet) -> Plain:
    words = {
        "right": f"{data['examples']['images_right']:,}",
        "wrong": f"{data['examples']['images_wrong']:,}",
        "n": f"{data['n']:,}",
    }
    of = class_words(data["label"], data["positive"]) if data["positive"] else ""
    words["score"] = (
        f"The score is the probability of “{of}”, the mark on the bar 0.5."
        if of
        else "The score is the probability of the class called."
    )
    looks = dressed(data, number)
    charts = {name: Markup(looks[name]) for name in ("roc_svg", "pr_svg", "calibration_svg")}  # our own, escaped there
    return (
        looks
        | charts
        | {
            "flow": data["flow"],
            "examples": [
                {
                    "title": title,
                    "words": text.format(**words),
                    "images": [_card(data, image, sheet) for image in data["examples"][kind]],
                }
                for kind, (title, text) in _KINDS.items()
            ],
            "neighbours": [
                {
                    "query": _picture(data, row["query"], sheet),
                    "found": [_picture(data, image, sheet) for image in row["found"]],
                }
                for row in data["neighbours"]
            ],
            "neighbour_words": "The framed image, and the five training images whose embeddings point the same way (cosine of "
            "standardised embeddings). The nearest-neighbour figures above rest on such neighbours.",
        }
    )


def _card(data: Plain, image: Plain, sheet: Sheet) -> Plain:
    binary = data["kind"] == "binary"
    return _picture(data, image, sheet) | {
        "threshold": 0.5 if binary else None,
        "score_name": "score",
        "called": class_words(data["label"], image["called"]),
    }


def _picture(data: Plain, image: Plain, sheet: Sheet) -> Plain:
    tile = sheet.large.get(tuple(image["key"]))
    colour = series_name(class_colour(data, image["truth"]))
    return image | {
        "tile": tile.style(sheet) if tile else "",
        "colour": f"var(--{colour})",
        "truth": class_words(data["label"], image["truth"]),
    }


def _script_data(data: Plain, seen_map: Plain | None) -> Plain:
    charts: dict[str, Any] = {}
    for number, label in enumerate(data["labels"]):
        for key, kind in (("roc", "roc"), ("pr", "precision_recall")):
            charts[f"label{number}-{key}"] = [
                {
                    "name": curve_name(label, curve),
                    "colour": css_colour(label, curve),
                    "points": [[_short(value) for value in point] for point in curve["points"]],
                }
                for curve in label[kind]
            ]
    return {
        "axes": figures.AXES,
        "limits": _LIMITS,
        "charts": charts,
        "map": seen_map["glances"] if seen_map else None,
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
