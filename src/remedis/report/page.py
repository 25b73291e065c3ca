"""The page: plain values, charts and thumbnails in one HTML file that loads nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from remedis.report import checklist, colours, figures
from remedis.report.before_figure import dressed_before
from remedis.report.colours import series_name
from remedis.report.dressing import dressed
from remedis.report.looks import class_colour, css_colour, curve_name
from remedis.report.map_page import dressed_map
from remedis.report.numbers import FILTERS, class_word, class_words, counted, plural
from remedis.report.svg import printable
from remedis.report.thumbnails import Sheet

Plain = dict[str, Any]
TEMPLATES = Path(__file__).parent / "templates"
_HEAD, _LONG_NAME = 4096, 9
LIMITS = (-0.005, 1.005)
_KINDS = {
    "right": (
        "Surest and right",
        "{right} of {n} tested images are called what they are. The surest of them, classes in turn. {score}",
    ),
    "wrong": (
        "Surest and wrong",
        "{wrong} of {n} tested images are called something else. The surest of them: look here for wrong labels, "
        "markers and tubes, and what the model cannot see.",
    ),
    "nearest": (
        "Nearest to the threshold",
        "Of {n} tested images those where the model cannot tell; a small change would call them otherwise.",
    ),
}


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
            report=data | _words(data, sheet, images=images),
            title=_title(data),
            json_name=json_name,
            labels=labels,
            map=seen_map,
            before=dressed_before(data),
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


def is_page(path: Path) -> bool:
    """Return whether a file is a page that was written here."""
    with path.open("rb") as file:
        return b'<meta name="generator" content="remedis ' in file.read(_HEAD)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) or not isinstance(value, str) else printable(value),
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


def _title(data: Plain) -> str:
    return f"{', '.join(label['label'] for label in data['labels'])} · {data['dataset']} · remedis"


def _words(data: Plain, sheet: Sheet, *, images: bool) -> Plain:
    first = data["labels"][0]
    known = [answer["low"] for answer in data["answers"] if answer["low"] is not None]
    return {
        "headline": _headline(data),
        "caution": data["cautions"][0],
        "more_cautions": len(data["cautions"]) - 1,
        "start": _start(known),
        "answers": [answer | {"start": _start(_reached(answer["ladder"]))} for answer in data["answers"]],
        "lead": "A ranking that is always right has an AUROC of 1, one by chance 0.5. Move over a curve to read it.",
        "intervals": f"Intervals are 95% percentile bootstrap intervals over {plural(first['unit_name'])}; that of the "
        "calibration error is corrected for the bias of resampling.",
        "image_lead": _image_lead(data, sheet, images=images),
        "no_map": f"There is no map and there are no neighbours: {data['embeddings_gone']}."
        if data["embeddings_gone"]
        else "",
        "audit_lead": _audit_lead(data["audit"]),
        "checklist_name": checklist.NAME,
    }


def _reached(ladder: list[Plain]) -> list[Any]:
    return [row["low"] if row["low"] is not None else row["value"] for row in ladder]


def _headline(data: Plain) -> Plain:
    """Return the answer over several labels: from where to where, and on how many images where all have the same."""
    values = [answer["value"] for answer in data["answers"] if answer["value"] is not None]
    on = {(answer["images_words"], answer["units_words"]) for answer in data["answers"]}
    images, units = on.pop() if len(on) == 1 else ("", "")
    return {
        "low": min(values, default=None),
        "high": max(values, default=None),
        "rest": f"over {len(data['answers'])} labels" + f" on {images}" * bool(images) + f" of {units}" * bool(units),
    }


def _start(lows: list[Any]) -> float:
    lowest = min([low for low in lows if low is not None], default=0.5)
    return max(0.0, min(0.5, int(lowest * 10) / 10))


def _audit_lead(findings: list[Plain] | None) -> str:
    if findings is None:
        return "The embeddings are gone, and the table with them."
    whole = " remedis index check looks at the files as well: missing ones, and the same bytes twice."
    if not findings:
        return f"Paths, patients, split and labels of the table are in order.{whole}"
    return f"Found in the table, without a look at the files.{whole}"


def _image_lead(data: Plain, sheet: Sheet, *, images: bool) -> str:
    words = "Figures hide what a look shows."
    if not images:
        words += " This page was made without pictures."
    if not data["names"]:
        words += " Numbers are the images’ rows, so that files and patients stay unnamed."
    if sheet.unreadable:
        words += (
            f" {counted(sheet.unreadable, 'images')} could not be read any more; where the files have moved, --root "
            "says where to."
        )
    return words


def _label(data: Plain, number: int, sheet: Sheet) -> Plain:
    looks = dressed(data, number)
    charts = {name: Markup(looks[name]) for name in ("roc_svg", "pr_svg", "calibration_svg")}  # our own, escaped there
    return looks | charts | {
        "flow": data["flow"],
        "examples": _examples(data, sheet),
        "long_names": max(map(len, data["classes"])) > _LONG_NAME,
        "legend_classes": _legend_of_cards(data),
        "neighbours": [
            {
                "query": _picture(data, row["query"], sheet),
                "found": [_picture(data, image, sheet) for image in row["found"]],
            }
            for row in data["neighbours"]
        ],
        "neighbour_words": f"{len(data['neighbours'])} of {data['n']:,} tested images, each first in its row, then "
        "the five training images whose embeddings point the same way (cosine of standardised embeddings). The "
        "nearest-neighbour figures above rest on such neighbours.",
    }  # fmt: skip


def _legend_of_cards(data: Plain) -> list[Plain]:
    """Return what `yes` and `no` on the cards mean; nothing where classes have names of their own."""
    if set(data["classes"]) != {"0", "1"}:
        return []
    return [
        {
            "mark": "dot",
            "colour": f"var(--{series_name(class_colour(data, name))})",
            "name": class_words(data["label"], name),
        }
        for name in ("1", "0")
    ]


def _examples(data: Plain, sheet: Sheet) -> list[Plain]:
    of = class_words(data["label"], data["positive"]) if data["positive"] else ""
    words = {
        "right": f"{data['examples']['images_right']:,}",
        "wrong": f"{data['examples']['images_wrong']:,}",
        "n": f"{data['n']:,}",
        "score": f"The score is the probability of “{of}”, the mark on the bar 0.5."
        if of
        else "The score is the probability of the class called.",
    }
    return [
        {
            "title": title,
            "words": text.format(**words),
            "images": [_card(data, image, sheet) for image in data["examples"][kind]],
        }
        for kind, (title, text) in _KINDS.items()
    ]


def _card(data: Plain, image: Plain, sheet: Sheet) -> Plain:
    binary = data["kind"] == "binary"
    return _picture(data, image, sheet) | {
        "threshold": 0.5 if binary else None,
        "score_name": "score",
        "called": class_word(image["called"]),
    }


def _picture(data: Plain, image: Plain, sheet: Sheet) -> Plain:
    tile = sheet.large.get(tuple(image["key"]))
    colour = series_name(class_colour(data, image["truth"]))
    return image | {
        "tile": tile.style(sheet) if tile else "",
        "colour": f"var(--{colour})",
        "truth": class_word(image["truth"]),
        "alt": f"{image['name']}, {class_words(data['label'], image['truth'])}",
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
        "limits": LIMITS,
        "charts": charts,
        "map": seen_map["glances"] if seen_map else None,
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
