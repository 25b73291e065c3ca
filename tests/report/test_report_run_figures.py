"""A run's curves stand where their values are, on axes of steps and epochs, and a script reads them out there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from remedis.report.colours import ACCENT
from remedis.report.run_answer import looked
from remedis.report.run_charts import charts
from remedis.report.run_figures import Panel, Trace, curves_figure, running_mean
from remedis.report.run_folder import open_run
from report_runs import LINES, LOOKS, PLANNED, line, run_folder


def drawn(folder: Path) -> dict[str, dict[str, Any]]:
    run = open_run(folder)
    return {chart["key"]: chart for chart in charts(run, [looked(each) for each in run.looks])}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The figures of a run that came to its end."""
    return drawn(run_folder(tmp_path_factory.mktemp("run")))


def points_of(svg: str) -> np.ndarray:
    """Every point of every path that is drawn, in the figure's own units."""
    text = " ".join(re.findall(r'<path d="([^"]*)"', svg)) + " ".join(re.findall(r"<use [^>]*>", svg))
    pairs = re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", text) + re.findall(r'x="(-?[\d.]+)" y="(-?[\d.]+)"', text)
    return np.array(pairs, dtype=float)


def on_paper(svg: str, panel: dict[str, Any], step: float, value: float) -> np.ndarray:
    """Where a value of a panel has to stand, from its box and its limits alone."""
    _, _, width, height = (float(part) for part in re.search(r'viewBox="([^"]+)"', svg)[1].split())
    left, bottom, wide, high = panel["box"]
    x = left + wide * (step - panel["x"][0]) / (panel["x"][1] - panel["x"][0])
    y = bottom + high * (value - panel["y"][0]) / (panel["y"][1] - panel["y"][0])
    return np.array([x * width, (1 - y) * height])


def test_every_curve_stands_where_its_values_are(finished: dict[str, Any]) -> None:
    found = finished
    wanted = {
        ("loss", 0): "loss", ("contrast", 0): "contrast_accuracy", ("contrast", 1): "contrast_entropy",
        ("embeddings", 0): "embedding_rank", ("embeddings", 1): "embedding_norm", ("classifier", 0): "label_accuracy",
        ("classifier", 1): "label_loss", ("speed", 0): "images_per_second", ("speed", 1): "waiting",
        ("optimiser", 0): "learning_rate", ("optimiser", 1): "gradient_norm", ("optimiser", 2): "weight_norm",
    }  # fmt: skip
    assert {(key, place) for key, chart in found.items() for place in range(len(chart["places"]))} == {
        ("watched", 0), *wanted,
    }  # fmt: skip
    for (key, place), name in wanted.items():
        panel, svg = found[key]["places"][place], found[key]["svg"]
        (trace,) = panel["traces"]
        assert trace["points"] == [[each["step"], pytest.approx(each[name], rel=1e-4)] for each in LINES]
        for each in (LINES[0], LINES[-1]):  # matplotlib leaves out points on a straight line, never the ends
            gaps = np.abs(points_of(svg) - on_paper(svg, panel, each["step"], each[name])).sum(axis=1)
            assert gaps.min() < 0.05, name


def test_the_watched_accuracies_have_whiskers_of_their_intervals(finished: dict[str, Any]) -> None:
    chart = finished["watched"]
    (panel,) = chart["places"]
    for look in (looked(each) for each in LOOKS):
        for name in ("knn_accuracy", "linear_accuracy"):
            for value in look[name].values():
                gaps = np.abs(points_of(chart["svg"]) - on_paper(chart["svg"], panel, look["step"], value)).sum(axis=1)
                assert gaps.min() < 0.05
    assert "Share of 200 images whose cell_type" in chart["caption"]
    assert [entry["name"] for entry in chart["legend"]] == ["kNN accuracy", "linear accuracy"]


def test_chance_is_a_line_across_the_panel(finished: dict[str, Any]) -> None:
    found = finished
    for key, place, chance in (("loss", 0, np.log(127)), ("contrast", 0, 1 / 127), ("contrast", 1, np.log(64))):
        panel, svg = found[key]["places"][place], found[key]["svg"]
        for step in panel["x"]:
            assert np.abs(points_of(svg) - on_paper(svg, panel, step, chance)).sum(axis=1).min() < 0.05
    assert f"ln(2 · 64 − 1) = {np.log(127):.3f}" in found["loss"]["caption"]


LOSSES = [{"step": step, "loss": 4.0 - step / 500} for step in range(1, 314)]


def test_the_axis_holds_the_whole_run_and_its_epochs(tmp_path: Path, finished: dict[str, Any]) -> None:
    facts = {"complete": None, "steps": None}
    panel = drawn(run_folder(tmp_path / "a", LOSSES[:3], facts=facts))["loss"]["places"][0]
    assert panel["x"][0] == 0
    assert PLANNED <= panel["x"][1] < 1.02 * PLANNED
    svg = finished["loss"]["svg"]
    assert ">epoch</text>" in svg
    assert [text for text in re.findall(r">([\d.]+)</text>", svg) if text == "20"] == ["20"]
    patients = run_folder(tmp_path / "c", LOSSES[:3], facts=facts, given={"multi_instance": True})
    assert ">epoch</text>" not in drawn(patients)["loss"]["svg"]


def test_epochs_stand_over_their_steps() -> None:
    trace = Trace(np.array([0.0, 100.0]), np.array([0.0, 1.0]), ACCENT, "x")
    found = curves_figure([Panel("y", [trace])], last=100, epochs=25.0, name="n", title="t", description="d")
    text = re.sub(r"\s+", " ", found.svg)
    ticks = {name: float(x) for x, name in re.findall(r'<text [^>]*x="([\d.]+)"[^>]*>([\d,.]+)</text>', text)}
    epoch, step = ticks["4"], ticks["100"]
    assert epoch - step == pytest.approx(0, abs=8)  # texts of other widths, centred on one place


@pytest.mark.parametrize(
    ("high", "wanted"),
    [(0.001, {"0", "5e−4", "1e−3"}), (0.8, {"0", "0.2", "0.8"}), (2e6, {"0", "5e5", "2e6"}), (4000, {"0", "1,000"}),
     (0.05, {"0", "0.02", "0.04"})],
)  # fmt: skip
def test_numbers_on_the_axis_are_true_however_small(high: float, wanted: set[str]) -> None:
    trace = Trace(np.array([0.0, 1000.0]), np.array([0.0, high]), ACCENT, "x")
    found = curves_figure(
        [Panel("y", [trace], bottom=0.0)], last=1000, epochs=None, name="n", title="t", description="d"
    )
    (panel,) = found.panels
    text = re.sub(r"\s+", " ", found.svg)
    ticks = re.findall(r'<text [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]+)</text>', text)
    assert wanted <= {name for _, _, name in ticks}
    beside = [
        (float(y), float(name.replace("−", "-").replace(",", "")))
        for x, y, name in ticks
        if float(x) < 45 and name != "y"
    ]
    assert len(beside) >= 3
    for y, value in beside:
        if 0 < value <= high:  # a text stands a little below the middle of its tick
            assert y - on_paper(found.svg, panel, 0, value)[1] == pytest.approx(3.6, abs=1.5)


def test_accuracies_close_together_have_ticks_of_three_digits() -> None:
    trace = Trace(np.array([1.0, 2.0]), np.array([0.8262, 0.8281]), ACCENT, "x")
    found = curves_figure([Panel("y", [trace])], last=2, epochs=None, name="n", title="t", description="d · 1")
    assert ">0.827<" in re.sub(r"\s+", "", found.svg)
    assert "d · 1</desc>" in found.svg


def test_without_looks_the_learning_rate_stands_by_itself_beside_the_loss(tmp_path: Path) -> None:
    found = drawn(run_folder(tmp_path, [line(1), line(2)]))
    assert list(found)[:2] == ["loss", "rate"]
    assert found["rate"]["places"][0]["traces"][0]["points"][1] == [
        2,
        pytest.approx(line(2)["learning_rate"], rel=1e-4),
    ]
    assert len(found["optimiser"]["places"]) == 2
    assert "a warm-up of 10 epochs, then a cosine to 0" in found["rate"]["caption"]
    assert "Learning rate" not in found["optimiser"]["caption"]


def test_only_what_was_logged_is_drawn(tmp_path: Path) -> None:
    lines = [{"step": step, "loss": 4.0 - step} for step in (1, 2)]
    assert list(drawn(run_folder(tmp_path / "a", lines))) == ["loss"]
    assert drawn(run_folder(tmp_path / "b", [])) == {}
    one = drawn(run_folder(tmp_path / "c", [line(1)]))
    panel = one["loss"]["places"][0]
    at = on_paper(one["loss"]["svg"], panel, 1, line(1)["loss"])
    assert np.abs(points_of(one["loss"]["svg"]) - at).sum(axis=1).min() < 0.05  # a point, where a line has no length


def test_long_curves_are_smoothed_by_a_centred_mean() -> None:
    values = np.random.default_rng(0).normal(size=400)
    smooth, width = running_mean(values)
    assert width == 11  # a fortieth to both sides together, and the value itself
    for place in (0, 3, 5, 200, 394, 399):
        near = values[max(0, place - 5) : place + 6]
        assert smooth[place] == pytest.approx(near.mean(), abs=1e-12)
    short = values[:99]
    assert running_mean(short)[1] == 1
    assert running_mean(short)[0] is short
    assert running_mean(values[:100])[1] == 3


def test_a_smoothed_curve_says_so(tmp_path: Path, finished: dict[str, Any]) -> None:
    assert "full: running mean of 7 values" in drawn(run_folder(tmp_path, LOSSES))["loss"]["caption"]
    assert "running mean" not in finished["loss"]["caption"]


def test_pictures_are_sound_and_colours_are_variables(finished: dict[str, Any]) -> None:
    for chart in finished.values():
        root = ElementTree.fromstring(chart["svg"])
        assert root.findtext("title") == chart["title"]
        assert len(root.findtext("desc") or "") > 60
        assert not re.search(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]", chart["svg"])
        assert re.search(r"\d+ (images|logged values)", chart["caption"])
