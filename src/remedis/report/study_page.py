"""A study's page: plain values and curves in one HTML file that loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from remedis.report import study_tables, trust
from remedis.report.page import TEMPLATES, _css, _environment, ticks
from remedis.report.study_folder import StudyFolder
from remedis.report.study_names import Names

Plain = dict[str, Any]


def render(data: Plain, study: StudyFolder, names: Names, charts: list[Plain], legend: list[Plain], *,
           json_name: str) -> str:  # fmt: skip
    """Return the page.

    Args:
        data: From `of_study`.
        study: The opened study.
        names: What things are called.
        charts: From `study_charts.charts`.
        legend: From `study_charts.legend`.
        json_name: Name of the file with the unrounded values.
    """
    environment = _environment()
    environment.filters |= study_tables.FILTERS
    shares = [row["fraction"] for row in study.tables["curves"]]
    page: str = environment.get_template("study.html").render(
        report=data,
        title=f"study of {', '.join(data['labels'])} · {', '.join(data['data_sets'])} · remedis",
        charts=[_marked(chart) for chart in charts],
        legend_entries=legend,
        matches=study_tables.matches(data["answers"], names, min(shares)),
        share_scale=study_tables.scale(shares),
        differences=study_tables.differences(study, names),
        delong=any(row["p_delong"] is not None for row in study.tables["differences"]),
        whole=study_tables.whole(study, names),
        metrics=list(study_tables.METRICS.values()),
        subgroups=trust.subgroups(study, names),
        points=trust.operating_points(study, names),
        calibration=trust.calibration(study, names),
        shift=trust.shift(study, names),
        heads=trust.HEADS,
        many_labels=len(data["labels"]) > 1,
        many_methods=len(data["methods"]) > 1,
        who="encoder",
        unit=study.unit,
        places=True,
        tables={name: bool(rows) for name, rows in study.tables.items()},
        css=Markup(_css()),
        js=Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
        study_js=Markup((TEMPLATES / "study.js").read_text(encoding="utf-8")),
        script_data=_script_data(charts),
        json_name=json_name,
        ticks=ticks,
        images=False,
    )
    return page + "\n"


def _marked(chart: Plain) -> Plain:
    panels = [panel | {"svg": Markup(panel["svg"])} for panel in chart["panels"]]  # our own, escaped there
    return chart | {"panels": panels}


def _script_data(charts: list[Plain]) -> Mapping[str, Any]:
    curves = {panel["key"]: panel["places"][0] for chart in charts for panel in chart["panels"]}
    return {"charts": {}, "map": None, "shares": curves}
