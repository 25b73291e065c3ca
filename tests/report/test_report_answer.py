"""The sentence at the top, and the cautions in the order of their weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from remedis.report.answer import answer, cautions

Found = Callable[[str], Any]
NOTHING = {"seen": 0, "simulated": False, "untrained": False, "sites": ["a", "b"], "of_probe": []}


def data(*, value: float = 0.9, low: float = 0.8, high: float = 0.95, units: int = 50) -> dict[str, Any]:
    row = {"metric": "auroc", "class": "", "method": "logistic", "value": value, "low": low, "high": high}
    return {
        "label": "edema", "kind": "binary", "classes": ["0", "1"], "positive": "1", "n": 80, "units": units,
        "unit_name": "patients", "class_counts": {"0": 50, "1": 30}, "results": [row],
    }  # fmt: skip


def entry(size_alone: float | None = None, evaluation: str = "split") -> dict[str, Any]:
    return {
        "size_alone": size_alone, "evaluation": evaluation, "counts": {"train": {"images": 200, "units": 120}}
    }  # fmt: skip


def said(label: dict[str, Any], size_alone: float | None = None, **facts: Any) -> list[str]:
    return cautions([answer(label, entry(size_alone), encoder="e")], [label], NOTHING | facts)


def test_the_answer_has_its_number_interval_images_and_patients() -> None:
    found = answer(data(), entry(0.87), encoder="e (frozen)")
    assert [found[name] for name in ("metric", "value", "low", "high")] == ["AUROC", 0.9, 0.8, 0.95]
    assert (found["images_words"], found["units_words"], found["positives"]) == ("80 images", "50 patients", 30)
    assert found["beside"] == "image size alone reaches 0.87"
    assert "e (frozen), fitted on 200 images of 120 patients; none of the tested patients" in found["compared"]
    assert [row["name"] for row in found["ladder"]] == ["logistic regression", "image size alone"]


def test_the_weightiest_caution_comes_first() -> None:
    of_probe = ["edema: 3 folds instead of 5", "edema: the intervals rest on 8 patients; under 20"]
    label = data(value=0.6, low=0.4, high=0.7, units=8)
    found = said(label, 0.7, seen=3, simulated=True, untrained=True, sites=["a"], of_probe=of_probe)
    beginnings = [
        "The model had seen 3 images", "The intervals rest on 8 patients", "The interval holds 0.5",
        "Width and height of the files alone reach AUROC 0.70", "These images are simulated", "The encoder’s weights",
        "edema: 3 folds instead of 5.", "All tested images come from one site", "The figures are of a collection",
    ]  # fmt: skip
    assert len(found) == len(beginnings)
    for text, beginning in zip(found, beginnings, strict=True):
        assert text.startswith(beginning)
        assert text.endswith(".")


@pytest.mark.parametrize(
    ("label", "size_alone", "word"),
    [
        (data(), None, "holds 0.5"), (data(), 0.64, "Width and height"), (data(units=20), None, "rest on"),
        (data(), None, "wrong way round"), (data(), None, "simulated"),
    ],
)  # fmt: skip
def test_nothing_is_cautioned_of_without_cause(label: dict[str, Any], size_alone: float | None, word: str) -> None:
    assert not any(word in text for text in said(label, size_alone))
    assert len(said(label, size_alone)) == 1


def test_the_weight_counts_before_the_order_of_the_labels() -> None:
    labels = [data(), data(low=0.5, units=8) | {"label": "mass"}]
    answers = [answer(labels[0], entry(0.9), encoder="e"), answer(labels[1], entry(), encoder="e")]
    found = cautions(answers, labels, NOTHING)
    assert [text.split(":")[0] for text in found[:3]] == ["mass", "mass", "edema"]
    assert "8 patients" in found[0]
    assert "holds 0.5" in found[1]


def test_a_ranking_that_is_upside_down_is_called_so() -> None:
    assert "wrong way round" in said(data(value=0.3, low=0.2, high=0.4))[0]


def test_of_several_labels_each_caution_names_its_own(page: Found) -> None:
    found = page("several").data
    named = [text for text in found["cautions"] if text.startswith("mass: ")]
    assert any("holds 0.5" in text for text in named)  # `mass` is drawn by chance
    assert not any(text.startswith("edema: the interval holds") for text in found["cautions"])
