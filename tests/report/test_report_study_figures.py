"""A study's curves lie where the numbers are, in one scale and one colour an encoder."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from remedis.report.colours import ACCENT, series
from remedis.report.study_answer import answers
from remedis.report.study_charts import charts, legend
from remedis.report.study_figures import HEIGHT, WIDTH, Line, Mark, Panel, panel_figure, vertical
from remedis.report.study_folder import open_study
from remedis.report.study_names import Names
from report_folders import reported
from report_studies import AUROC, BASE, OTHER, PATIENTS, PLACES, SHARES, study_folder

LIMITS = (0.45, 1.0)
NOTHING = np.full(3, np.nan)
POINTS = 72  # in an inch, matplotlib's unit in SVG


def line(values: tuple[float, ...], colour: str = ACCENT, method: str = "logistic", **changes: Any) -> Line:
    given = np.array(values)
    parts = {"low": given - 0.05, "high": given + 0.04, "each": given[None][:0]} | changes
    return Line("x", colour, method, np.array(SHARES), given, **parts)


def drawn(panel: Panel) -> tuple[ElementTree.Element, dict[str, Any]]:
    found = panel_figure(panel, LIMITS, name="p", title="title", description="description")
    return ElementTree.fromstring(found.svg), found.panels[0]


def place(share: float, value: float, panel: dict[str, Any]) -> tuple[float, float]:
    """Where a point lies on the figure, in SVG's units from the top left: worked out from the axes alone."""
    left, bottom, wide, high = panel["box"]
    x = left + wide * (math.log(share) - panel["x"][0]) / (panel["x"][1] - panel["x"][0])
    y = bottom + high * (value - LIMITS[0]) / (LIMITS[1] - LIMITS[0])
    return x * WIDTH * POINTS, (1 - y) * HEIGHT * POINTS


def strokes(root: ElementTree.Element, colour: str) -> list[tuple[str, np.ndarray]]:
    """Return each path of a colour: its style and its points."""
    found = []
    for path in root.iter("path"):
        style = path.get("style") or ""
        numbers = re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", path.get("d") or "")
        if f"stroke: {colour}" in style and "fill: none" in style and numbers:
            found.append((style, np.array(numbers, dtype=float)))
    return found


def markers(root: ElementTree.Element, colour: str) -> np.ndarray:
    """Return where a colour's markers stand; a band is placed by `use` too."""
    styles = [(use, use.get("style") or "") for use in root.iter("use")]
    uses = [use for use, style in styles if colour in style and "opacity" not in style]
    return np.array([[float(use.get("x") or 0), float(use.get("y") or 0)] for use in uses])


def test_a_curve_goes_through_its_points() -> None:
    values = (0.6, 0.75, 0.9)
    root, panel = drawn(Panel([line(values)], [], [], None, {}))
    wanted = np.array([place(share, value, panel) for share, value in zip(SHARES, values, strict=True)])
    paths = [points for _, points in strokes(root, "var(--accent)") if points.shape == wanted.shape]
    assert any(np.allclose(points, wanted, atol=0.02) for points in paths)
    assert np.allclose(markers(root, "var(--accent)"), wanted, atol=0.02)


def test_levels_lie_at_their_auroc() -> None:
    panel = Panel([line((0.6, 0.75, 0.9))], [(series(0), "logistic", 0.9)], [], 0.87, {})
    root, where = drawn(panel)
    (style, dashed), (dotted_style, dotted) = strokes(root, "var(--series-0)")[0], strokes(root, "var(--ink)")[0]
    assert np.allclose(dashed[:, 1], place(1, 0.9, where)[1], atol=0.02)
    assert np.allclose(dotted[:, 1], place(1, 0.87, where)[1], atol=0.02)
    assert "stroke-dasharray" in style
    assert "stroke-dasharray" in dotted_style


@pytest.mark.parametrize("high", [0.6, math.inf], ids=["closed", "open"])
def test_a_diamond_marks_the_share_that_reaches_the_level(high: float) -> None:
    panel = Panel([line((0.6, 0.75, 0.9), series(3))], [], [Mark(ACCENT, 0.8, 0.2, 0.08, high)], None, {})
    root, where = drawn(panel)
    spots = markers(root, "var(--accent)")
    assert np.allclose(spots[-1], place(0.2, 0.8, where), atol=0.02)
    assert len(spots) == (2 if math.isinf(high) else 1)  # an arrow says that it goes on
    bars = [points for _, points in strokes(root, "var(--accent)") if np.ptp(points[:, 1]) == 0]
    end = math.exp(where["x"][1]) if math.isinf(high) else high
    assert np.allclose(np.sort(bars[0][:, 0]), [place(0.08, 0, where)[0], place(end, 0, where)[0]], atol=0.02)
    never = Panel([line((0.6, 0.75, 0.9), series(3))], [], [Mark(ACCENT, 0.8, math.inf, 0.7, math.inf)], None, {})
    assert not len(markers(drawn(never)[0], "var(--accent)"))


def test_many_curves_have_whiskers_instead_of_bands_and_methods_styles_of_their_own() -> None:
    def shaded(count: int) -> int:
        lines = [line((0.6 + 0.01 * each, 0.7, 0.8), series(each)) for each in range(count)]
        text = ElementTree.tostring(drawn(Panel(lines, [], [], None, {}))[0], encoding="unicode")
        return len(re.findall(r"fill-opacity: 0.14", text))

    assert (shaded(4), shaded(5)) == (4, 0)
    root, _ = drawn(Panel([line((0.6, 0.7, 0.8)), line((0.5, 0.6, 0.7), series(0), "finetune")], [], [], None, {}))
    (solid, _), (dashed, _) = strokes(root, "var(--accent)")[0], strokes(root, "var(--series-0)")[0]
    assert "stroke-dasharray" not in solid
    assert "stroke-dasharray" in dashed


def test_repetitions_are_thin_lines_without_a_band() -> None:
    each = np.array([[0.55, 0.7, 0.85], [0.65, 0.8, 0.95]])
    root, where = drawn(Panel([line((0.6, 0.75, 0.9), low=NOTHING, high=NOTHING, each=each)], [], [], None, {}))
    thin = [points for style, points in strokes(root, "var(--accent)") if "stroke-opacity: 0.45" in style]
    for found, values in zip(thin, each, strict=True):
        assert np.allclose(found, [place(s, v, where) for s, v in zip(SHARES, values, strict=True)], atol=0.02)


def test_the_scale_holds_everything() -> None:
    low, high = vertical([Panel([line((0.3, 0.5, 0.96))], [(ACCENT, "logistic", 0.2)], [], 0.1, {})])
    assert low < 0.1
    assert 1.0 < high < 1.05
    assert vertical([Panel([line((0.8, 0.9, 0.9))], [], [], None, {})])[0] < 0.5  # chance is always there


def test_panels_are_of_each_scenario_and_share_a_scale(tmp_path: Path) -> None:
    study = open_study(study_folder(tmp_path / "study"))
    names = Names(study, names=False)
    (found,) = charts(study, names, answers(study, names))
    panels = found["panels"]
    assert [panel["title"] for panel in panels] == [
        "In distribution: learnt and tested on north", "Out of distribution: learnt on north, tested on south",
        "Adapted: learnt and tested on south",
    ]  # fmt: skip
    ((low, high),) = {tuple(panel["places"][0]["y"]) for panel in panels}
    assert 0.4 < low < 0.5 < 1 < high < 1.05  # the lowest limit is 0.5, the highest scale ends at 1
    traces = {trace["name"]: trace["points"] for trace in panels[2]["places"][0]["traces"]}
    for encoder, name in ((OTHER, "run/last, probe"), (BASE, "base, probe")):
        assert [point[:2] for point in traces[name]] == [
            [share, value] for share, value in zip(SHARES, AUROC["adapted", encoder], strict=True)
        ]
    words = [text for panel in panels for text in re.findall(r">([^<>]+)</text>", panel["svg"])]
    assert {str(count) for counts in PATIENTS.values() for count in counts} <= set(words)
    assert panels[0]["caption"] == (
        "Tested on 240 images of 180 patients. Below 100% the mean of 3 draws of the labels. Dotted: image size and "
        "aspect alone reach 0.87 on all of north, learnt there in folds by patient."
    )
    assert panels[1]["caption"].endswith("No encoder reaches base’s 0.720.")


def test_crowded_panels_are_split_by_method(tmp_path: Path) -> None:
    def titles(count: int) -> list[str]:
        encoders = (BASE, OTHER, "c", "d", "e")[:count]
        folder = study_folder(tmp_path / f"{count}", encoders=encoders, methods=("logistic", "finetune"))
        study = open_study(folder)
        names = Names(study, names=False)
        return [panel["title"] for panel in charts(study, names, answers(study, names))[0]["panels"]]

    assert len(titles(2)) == 3
    several = titles(3)
    assert len(several) == 6
    assert [title.endswith("probe") for title in several] == [True] * 3 + [False] * 3


def test_the_mean_of_repetitions_is_drawn(tmp_path: Path) -> None:
    study = open_study(study_folder(tmp_path / "study", repeats=3))
    names = Names(study, names=False)
    panel = charts(study, names, answers(study, names))[0]["panels"][0]
    points = panel["places"][0]["traces"][0]["points"]
    assert [point[1] for point in points] == pytest.approx([value - 0.04 for value in AUROC["in_distribution", OTHER]])
    assert all(point[2:] == [None, None] for point in points)
    assert "Full: the mean of 3 repetitions with other parts; thin: each of them." in panel["caption"]


def test_an_encoder_has_one_colour_on_the_whole_page(tmp_path: Path) -> None:
    encoders = (BASE, OTHER, "c", "d")
    folder = study_folder(tmp_path / "study", encoders=encoders)
    html, _ = reported(folder, tmp_path / "page.html")
    study = open_study(folder)
    names = Names(study, names=False)
    wanted = {names.encoder(each): names.css(each) for each in encoders}
    assert len(set(wanted.values())) == 4
    dots = re.findall(r'<span class="dot" style="background:([^"]+)"></span>([^<]+)</span>', html)
    assert {(name, colour) for colour, name in dots} == set(wanted.items())
    (chart,) = charts(study, names, answers(study, names))
    for panel, scenario in zip(chart["panels"], PLACES, strict=True):
        root, where = ElementTree.fromstring(panel["svg"]), panel["places"][0]
        _, bottom, _, tall = where["box"]
        for position, encoder in enumerate(encoders):
            values = np.array(AUROC[scenario, OTHER if position else BASE]) - 0.01 * max(position - 1, 0)
            share = bottom + tall * (values - where["y"][0]) / (where["y"][1] - where["y"][0])
            drawn_at = [points[:, 1] for _, points in strokes(root, names.css(encoder)) if len(points) == len(values)]
            assert any(np.allclose(found, (1 - share) * HEIGHT * POINTS, atol=0.02) for found in drawn_at)
    whiskers = re.findall(r'<svg class="whisker own" role="img" style="--own:([^"]+)"><title>([^:]+):', html)
    assert {(name, colour) for colour, name in whiskers} <= set(wanted.items())
    entries = {entry["name"].removesuffix(" (baseline)"): entry["colour"] for entry in legend(study, names)[:4]}
    assert entries == wanted
