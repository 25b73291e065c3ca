"""A pretraining's page: plain values, curves and the picture of views in one HTML file that loads nothing."""

from __future__ import annotations

import base64
from typing import Any

from markupsafe import Markup

from remedis.report.numbers import figure
from remedis.report.page import TEMPLATES, _css, _environment
from remedis.report.run_checks import BAD, LOOK, OPEN

Plain = dict[str, Any]
_SMALL = 600  # pixels; a narrower picture is enlarged without blur
_WORDS = {True: "yes", False: "no"}
_VERDICTS = {BAD: "not fine", LOOK: "look at it", OPEN: "not known yet"}


def render(data: Plain, charts: list[Plain], views: bytes | None, *, json_name: str) -> str:
    """Return the page.

    Args:
        data: From `of_run`.
        charts: From `run_charts.charts`.
        views: The picture of the first views; None leaves it out.
        json_name: Name of the file with the unrounded values.
    """
    page: str = (
        _environment()
        .get_template("run.html")
        .render(
            report=data,
            title=f"pretraining of {data['encoder']} · {data['dataset']} · remedis",
            charts=[chart | {"svg": Markup(chart["svg"])} for chart in charts],  # our own, escaped there
            checks=[check | {"verdict_words": _VERDICTS.get(check["verdict"], "fine")} for check in data["checks"]],
            settings=[setting | {"words": setting_words(setting["value"])} for setting in data["made"]["settings"]],
            ladder=_ladder(data),
            views=_views(views),
            css=Markup(_css()),
            js=Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
            run_js=Markup((TEMPLATES / "run.js").read_text(encoding="utf-8")),
            script_data={"charts": {}, "map": None, "curves": {chart["key"]: chart["places"] for chart in charts}},
            json_name=json_name,
            ticks=lambda start: [start, *(tenth / 10 for tenth in range(2, 11, 2) if tenth / 10 > start)],
        )
    )
    return page + "\n"


def _views(picture: bytes | None) -> Plain:
    """Return the picture as the template needs it; its width stands in the first chunk of a PNG."""
    if picture is None:
        return {"uri": "", "small": False}
    width = int.from_bytes(picture[16:20], "big")
    return {"uri": f"data:image/png;base64,{base64.b64encode(picture).decode()}", "small": width < _SMALL}


def setting_words(value: Any) -> str:
    """Return a setting's value as a person writes it."""
    if isinstance(value, bool):
        return _WORDS[value]
    return f"{value:,g}" if isinstance(value, int | float) and abs(value) < 1e6 else str(value)


def _ladder(data: Plain) -> list[Plain]:
    """Return the first and the last look as intervals, for the answer."""
    looks = data["looks"]
    chosen = list({look["step"]: look for look in (*looks[:1], *looks[-1:])}.values())
    found = []
    for name, words in (("knn_accuracy", "kNN"), ("linear_accuracy", "linear")):
        for look in chosen:
            if name in look:
                kind = "main" if look is chosen[-1] and name == "knn_accuracy" else "beside"
                row = {"name": f"{words}, step {look['step']:,}", "kind": kind, **look[name]}
                found.append(row | {"words": figure(look[name]["value"])})
    return found
