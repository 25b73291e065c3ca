"""Every figure of the page can be computed again from predictions.parquet, by others' programs or by hand."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from html_check import table_rows
from remedis.evaluate.bands import GRID, thinned
from remedis.evaluate.bands import roc as roc_curve_of
from remedis.evaluate.intervals import counts_of_draws
from report_folders import DRAWS, predictions

Found = Callable[[str], Any]
KINDS = ("binary", "clustered", "several", "external")


def curves(data: dict[str, Any], kind: str, method: str = "logistic") -> dict[str, dict[str, Any]]:
    return {curve["class"]: curve for curve in data[kind] if curve["method"] == method}


def truth_and_scores(page: Any, label: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Each class's truth and scores, from the predictions alone."""
    rows = predictions(page.folder, label["label"])
    texts = np.array([str(value) for value in rows[label["label"]]])
    if label["kind"] == "binary":
        return {label["positive"]: (texts == label["positive"], np.array(rows[f"score_{label['label']}"]))}
    return {
        name: (texts == name, np.array(rows[f"score_{label['label']}={name}"]))
        for name in label["classes"]
        if 0 < (texts == name).sum() < len(texts)
    }


@pytest.mark.parametrize("kind", KINDS)
def test_roc_points_are_those_of_scikit_learn(page: Found, kind: str) -> None:
    found = page(kind)
    for label in found.data["labels"]:
        drawn = curves(label, "roc")
        for name, (truth, scores) in truth_and_scores(found, label).items():
            points = {tuple(point[:2]) for point in drawn[name]["points"]}
            every = set(zip(*metrics.roc_curve(truth, scores, drop_intermediate=False)[:2], strict=True))
            corners = set(zip(*metrics.roc_curve(truth, scores, drop_intermediate=True)[:2], strict=True))
            assert {(round(x, 12), round(y, 12)) for x, y in points} <= {(round(x, 12), round(y, 12)) for x, y in every}
            area = np.trapezoid(*(np.array(sorted(points)).T[::-1]))
            assert area == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-12)
            assert len(points) >= len(corners) - 2
            for x, y, threshold in drawn[name]["points"]:
                called = scores >= (np.inf if threshold is None else threshold)
                assert (called & ~truth).sum() / (~truth).sum() == pytest.approx(x, abs=1e-12)
                assert (called & truth).sum() / truth.sum() == pytest.approx(y, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_precision_recall_points_are_those_of_scikit_learn(page: Found, kind: str) -> None:
    found = page(kind)
    for label in found.data["labels"]:
        drawn = curves(label, "precision_recall")
        for name, (truth, scores) in truth_and_scores(found, label).items():
            precision, recall, thresholds = metrics.precision_recall_curve(truth, scores)
            every = {float(t): (r, p) for p, r, t in zip(precision[:-1], recall[:-1], thresholds, strict=True)}
            assert len(drawn[name]["points"]) > 10
            for x, y, threshold in drawn[name]["points"]:
                assert (x, y) == pytest.approx(every[threshold], abs=1e-12)


def bootstrap_band(truth: Any, scores: Any, units: Any, curve: Callable[[Any, Any], Any]) -> Any:
    """The 2.5th and 97.5th percentile of a curve over drawn units, each drawn row written out as often as drawn."""
    drawn = []
    for counts in counts_of_draws(int(units.max()) + 1, DRAWS, 0):
        for times in counts.astype(int).T:
            rows = np.repeat(np.arange(len(truth)), times[units])
            if 0 < truth[rows].sum() < len(rows):
                drawn.append(curve(truth[rows], scores[rows]))
    return np.quantile(np.stack(drawn), [0.025, 0.975], axis=0)


def test_bands_are_percentiles_over_draws_of_whole_patients(page: Found) -> None:
    found = page("binary")
    label = found.data["labels"][0]
    truth, scores = truth_and_scores(found, label)["1"]
    rows = predictions(found.folder, "pneumonia", ["site", "patient_id"])
    keys = list(zip(rows["site"], rows["patient_id"], strict=True))
    units = np.array([list(dict.fromkeys(keys)).index(key) for key in keys])

    def sensitivity(truth: Any, scores: Any) -> Any:
        x, y, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
        return np.interp(GRID, x, y)

    def precision(truth: Any, scores: Any) -> Any:
        y, x, _ = metrics.precision_recall_curve(truth, scores)
        y, x = y[:-1][::-1], x[:-1][::-1]  # recall rising, the closing point (0, 1) left out
        return [y[np.flatnonzero(x >= max(at, 1e-9))[0]] for at in GRID]

    for kind, curve in (("roc", sensitivity), ("precision_recall", precision)):
        band = curves(label, kind)["1"]["band"]
        low, high = bootstrap_band(truth, scores, units, curve)
        assert band["x"] == pytest.approx(GRID.tolist())
        assert band["low"] == pytest.approx(low.tolist(), abs=1e-9)
        assert band["high"] == pytest.approx(high.tolist(), abs=1e-9)
        assert max(np.array(band["high"]) - np.array(band["low"])) > 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_calibration_bins_hold_what_a_count_by_hand_gives(page: Found, kind: str) -> None:
    found = page(kind)
    for label in found.data["labels"]:
        by_class = {entry["class"]: entry["bins"] for entry in label["calibration"]}
        for name, (truth, scores) in truth_and_scores(found, label).items():
            assert sum(row["count"] for row in by_class[name]) == len(scores) == label["n"]
            for number, row in enumerate(by_class[name]):
                inside = [place for place, score in enumerate(scores) if math.ceil(score * 15 - 1e-12) == number + 1
                          or (number == 0 and score == 0)]  # fmt: skip
                assert row["count"] == len(inside)
                if inside:
                    assert row["mean"] == pytest.approx(float(np.mean(scores[inside])))
                    assert row["share"] == pytest.approx(float(np.mean(truth[inside])))
                else:
                    assert row["mean"] is None
                    assert row["share"] is None
            ece = sum(row["count"] * abs(row["mean"] - row["share"]) for row in by_class[name] if row["count"])
            own = "" if label["kind"] == "binary" else name
            assert ece / len(scores) == pytest.approx(value_of(label, "ece", own), abs=1e-12)


def value_of(label: dict[str, Any], metric: str, name: str, method: str = "logistic") -> float:
    (row,) = [row for row in label["results"] if (row["metric"], row["class"], row["method"]) == (metric, name, method)]
    return float(row["value"])


@pytest.mark.parametrize("kind", KINDS)
def test_confusion_and_histogram_count_the_tested_images(page: Found, kind: str) -> None:
    found = page(kind)
    for label in found.data["labels"]:
        rows = predictions(found.folder, label["label"])
        texts = [str(value) for value in rows[label["label"]]]
        if label["kind"] == "binary":
            called = [label["classes"][int(score >= 0.5)] for score in rows[f"score_{label['label']}"]]
        else:
            scores = np.stack([rows[f"score_{label['label']}={name}"] for name in label["classes"]], axis=1)
            called = [label["classes"][place] for place in scores.argmax(axis=1)]
        expected = metrics.confusion_matrix(texts, called, labels=label["classes"])
        assert label["confusion"] == expected.tolist()
        assert label["examples"]["images_right"] == expected.trace()
        assert label["examples"]["images_wrong"] == len(texts) - expected.trace()
        assert label["class_counts"] == {name: Counter(texts)[name] for name in label["classes"]}
        wanted = label["n"] * (1 if label["kind"] == "binary" else len(label["classes"]))
        assert sum(sum(pile["counts"]) for pile in label["histogram"]) == wanted


def test_subgroups_are_scikit_learns_auroc_of_their_rows(page: Found) -> None:
    found = page("binary")
    label = found.data["labels"][0]
    rows = predictions(found.folder, "pneumonia", ["sex", "age", "view", "site", "patient_id"])
    truth, scores = np.array(rows["pneumonia"]) == 1, np.array(rows["score_pneumonia"])
    columns = {name: np.array(rows[name], dtype=object) for name in ("sex", "view", "site")}
    ages = np.array([np.nan if age is None else age for age in rows["age"]], dtype=float)
    inside = {
        ("sex", "female"): columns["sex"] == "F", ("sex", "male"): columns["sex"] == "M",
        ("view", "AP"): columns["view"] == "AP", ("view", "PA"): columns["view"] == "PA",
        ("site", "north"): columns["site"] == "north", ("site", "south"): columns["site"] == "south",
        ("age", "under 18"): ages < 18, ("age", "18 to 39"): (ages >= 18) & (ages < 40),
        ("age", "40 to 59"): (ages >= 40) & (ages < 60), ("age", "60 to 74"): (ages >= 60) & (ages < 75),
        ("age", "75 and over"): ages >= 75, ("age", "not given"): np.isnan(ages),
    }  # fmt: skip
    groups = {(group["column"], group["name"]): group for group in label["subgroups"]}
    assert set(groups) == {key for key, chosen in inside.items() if chosen.any()}
    measured = 0
    for key, group in groups.items():
        chosen = inside[key]
        assert group["images"] == chosen.sum()
        assert group["positives"] == truth[chosen].sum()
        pairs = zip(np.array(rows["site"])[chosen], np.array(rows["patient_id"])[chosen], strict=True)
        assert group["units"] == len(set(pairs))
        small = chosen.sum() < 20 or min(truth[chosen].sum(), (~truth[chosen]).sum()) < 5
        assert bool(group["skipped"]) is bool(small)
        if not small:
            measured += 1
            assert group["value"] == pytest.approx(metrics.roc_auc_score(truth[chosen], scores[chosen]), abs=1e-12)
            assert group["low"] <= group["value"] <= group["high"]
    assert measured >= 5


def read_results(page: Any) -> list[dict[str, str]]:
    with (page.folder / "results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", KINDS)
def test_results_stand_unrounded_in_the_json(page: Found, kind: str) -> None:
    found = page(kind)
    shown = [row for label in found.data["labels"] for row in label["results"]]
    rows = read_results(found)
    assert len(shown) == len(rows) > 0
    numbers = ("value", "low", "high", "low_delong", "high_delong", "label_fraction", "n", "n_patients", "seed")
    for row, own in zip(rows, shown, strict=True):
        assert [row[name] for name in ("label", "class", "metric", "method")] == [
            own[name] for name in ("label", "class", "metric", "method")
        ]
        for name in numbers:
            assert own[name] == (float(row[name]) if row[name] else None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_says_every_row_of_results(page: Found, kind: str) -> None:
    found = page(kind)
    names = {
        "auroc": "AUROC", "average_precision": "average precision", "brier": "Brier score", "ece": "calibration error",
        "sensitivity_at_95_specificity": "sensitivity at 95% specificity",
    }  # fmt: skip
    shown = Counter()
    for cells in table_rows(found.html, "figures"):
        name = next(name for name in names.values() if cells[0].startswith(name))
        numbers = [cell for cell in cells if cell.replace(".", "").replace("–", "").isdigit() or cell == "–"]
        shown[(name, *numbers[:2])] += 1
    expected = Counter(
        (
            names[row["metric"]],
            f"{float(row['value']):.3f}",
            f"{float(row['low']):.3f}–{float(row['high']):.3f}" if row["low"] else "–",
        )
        for row in read_results(found)
    )
    assert shown == expected


def test_delong_is_shown_where_results_have_it(page: Found) -> None:
    rows = [row for row in read_results(page("external")) if row["low_delong"]]
    assert rows
    for row in rows:
        assert f"{float(row['low_delong']):.3f}–{float(row['high_delong']):.3f}" in page("external").html
    assert "DeLong" not in page("binary").html  # two images a patient: the formula does not hold there


def test_characteristics_count_the_rows_of_each_part(page: Found) -> None:
    found = page("binary")
    parts = {part["name"]: part for part in found.data["labels"][0]["baseline"]}
    entry = found.data["labels"][0]
    tested = predictions(found.folder, "pneumonia", ["sex", "age", "site", "patient_id"])
    part = parts["tested"]
    assert part["images"] == entry["n"] == len(tested["image"])
    assert part["sex"] == Counter(tested["sex"])
    assert part["site"] == Counter(tested["site"])
    assert part["classes"] == {name: tested["pneumonia"].count(int(name)) for name in ("0", "1")}
    ages = [age for age in tested["age"] if age is not None]
    assert part["age"]["known"] == len(ages)
    assert [part["age"][name] for name in ("low", "median", "high")] == np.percentile(ages, [25, 50, 75]).tolist()
    assert sum(part["images"] for part in parts.values()) == 160
    assert sum(part["units"] for part in parts.values()) == 80


def test_a_thinned_curve_keeps_its_ends_and_every_corner() -> None:
    random = np.random.default_rng(0)
    truth = random.random(60) < 0.4
    whole = roc_curve_of(truth, random.random(60), np.arange(60), draws=0)
    thin = thinned(whole)
    assert (thin.x[0], thin.y[0], thin.x[-1], thin.y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(thin.y, thin.x) == pytest.approx(np.trapezoid(whole.y, whole.x), abs=1e-12)
    assert len(thinned(whole, most=10).x) <= 10
