"""How the map of the embeddings looks: points as circles, rules that colour them, what a point says."""

from __future__ import annotations

from typing import Any

from remedis.report.colours import series_name
from remedis.report.looks import class_colour
from remedis.report.numbers import class_words, counted
from remedis.report.thumbnails import Sheet

Plain = dict[str, Any]
_SITE_COLOURS = (3, 2, 4, 0, 1, 5)  # other than the classes' first ones
_SPLIT_COLOURS = {
    "train": "other",
    "learnt from": "other",
    "validation": "series-4",
    "test": "accent",
    "tested": "accent",
}


def dressed_map(data: Plain, sheet: Sheet) -> Plain:
    """Return what the template needs of the map, and the CSS rules that colour it."""
    found = data["map"]
    ways = [_way(data, way) for way in found["ways"]]
    lowest, highest = (pick(point["y"] for point in found["points"]) for pick in (min, max))
    some = "" if found["shown"] == found["of"] else f" of {found['of']:,}, drawn by chance"
    return {
        "ways": ways,
        "css": "\n".join(_rules(number, way) for number, way in enumerate(ways)),
        "height": round(60 + 940 * (highest - lowest)),
        "radius": 9 if found["shown"] <= 300 else 7,
        "words": f"Each point is an image: {found['shown']:,}{some}. Made by {found['how']}. Near points have like "
        "embeddings; far distances, sizes of groups and the axes mean nothing. Point at one to see it.",
        "description": f"{counted(found['shown'], 'points')}, coloured by {_listed(ways)}.",
        "points": [
            {
                "x": round(30 + 940 * point["x"], 1),
                "y": round(30 + 940 * (highest - point["y"]), 1),
                "classes": " ".join(f"w{number}v{way['codes'][place]}" for number, way in enumerate(ways)),
            }
            for place, point in enumerate(found["points"])
        ],
        "glances": [_glance(point, place, ways, sheet) for place, point in enumerate(found["points"])],
    }


def _glance(point: Plain, place: int, ways: list[Plain], sheet: Sheet) -> list[Any]:
    words = [
        f"{way['name']}: {_value_words(way, way['values'][way['codes'][place]])}"
        for way in ways
        if way["codes"][place] >= 0
    ]
    tile = sheet.tiles.get(tuple(point["key"]))
    named = [point["name"], *([point["patient"]] if point["patient"] else [])]
    return [" · ".join(named), words, tile.style(sheet) if tile else ""]


def _way(data: Plain, way: Plain) -> Plain:
    colours_of = [_way_colour(data, way, number, value) for number, value in enumerate(way["values"])]
    entries = [
        {"colour": f"var(--{colour})", "name": _value_words(way, value), "count": count}
        for colour, value, count in zip(colours_of, way["values"], way["counts"], strict=True)
    ]
    unknown = len(way["codes"]) - sum(way["counts"])
    if unknown:
        entries.append({"colour": "var(--other)", "name": "not given", "count": unknown})
    return way | {"colours": colours_of, "entries": entries}


def _value_words(way: Plain, value: str) -> str:
    return class_words(way["name"], value) if way["kind"] == "class" else value


def _way_colour(data: Plain, way: Plain, number: int, value: str) -> str:
    if way["kind"] == "class":
        label = next(label for label in data["labels"] if label["label"] == way["name"])
        return series_name(class_colour(label, value))
    if way["kind"] == "split":
        return _SPLIT_COLOURS.get(value, "other")
    return series_name(_SITE_COLOURS[number] if number < len(_SITE_COLOURS) else number)


def _rules(number: int, way: Plain) -> str:
    """Return the rules that hold while one of the radio buttons is checked; they need no script."""
    checked, button = f"#colour-{number}:checked ~", f'.choices label[for="colour-{number}"]'
    lines = [
        f"{checked} .plane .w{number}v{place} {{ fill: var(--{colour}) }}"
        for place, colour in enumerate(way["colours"])
    ]
    lines.append(f"{checked} .plane #legend-{number} {{ display: flex }}")
    lines.append(f"{checked} {button} {{ border-color: var(--accent); color: var(--accent); font-weight: 600 }}")
    lines.append(f"#colour-{number}:focus-visible ~ {button} {{ outline: 2px solid var(--accent) }}")
    return "\n".join(lines)


def _listed(ways: list[Plain]) -> str:
    return ", ".join(way["name"] for way in ways)
