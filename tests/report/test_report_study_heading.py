"""A study's first sentence and the line under it: what is counted, who is named, and on how much it stands."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest

from remedis.commands.study_answers import match_line
from remedis.report.study_answer import share
from report_folders import reported
from report_studies import BASE, HERE, OTHER, THERE, changed, flowing, study_folder, values, without

IN, OUT, ADAPTED = "in_distribution", "out_of_distribution", "adapted"
LABELS = ("pneumonia", "edema")


def at_chance(folder: Path, *places: tuple[str, str]) -> None:
    """Put the baseline's lower limit on chance in some scenarios and labels."""
    changed(
        folder, "matches", lambda row: {"line_low": 0.5} if (row["scenario"], row["label"]) in places else {}
    )  # fmt: skip


def test_comparisons_with_a_baseline_at_chance_are_not_counted_as_missed(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", labels=LABELS)
    at_chance(folder, (IN, "edema"), (OUT, "pneumonia"), (OUT, "edema"))
    data = values(folder)
    assert data["sentence"].startswith(
        "What base needs all labels for is reached in distribution in 1 of 1 comparison with 20% of them, and base is "
        "no better than chance in 1 other; adapted in 2 of 2 with at most 5% of them; out of distribution base is no "
        "better than chance in every comparison –"
    )
    assert [piece["text"] for piece in data["heading"] if piece["strong"]] == ["1 of 1", "2 of 2", "0.87"]


def test_where_the_baseline_is_at_chance_everywhere_no_share_is_told(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", labels=LABELS)
    at_chance(folder, *((scenario, label) for scenario in (IN, OUT, ADAPTED) for label in LABELS))
    assert values(folder)["sentence"].startswith(
        "base is no better than chance in all 6 comparisons, so that no share of the labels can be told –"
    )
    html, _ = reported(folder, tmp_path / "page.html")
    assert html.count("<br>at chance") == 6


def test_the_smallest_of_several_shares_can_be_an_upper_limit(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", labels=LABELS)
    higher = {"fraction": 0.29, "at_most": False}
    changed(folder, "matches", lambda row: higher if (row["scenario"], row["label"]) == (ADAPTED, "edema") else {})
    assert "adapted in 2 of 2 with ≤ 5% to 29% of them" in values(folder)["sentence"]


SHARES = {
    "above the bound": ((0.05, 0.4, 0.5), False), "at the bound": ((0.05, 0.05, 0.5), True),
    "half of two": ((0.05, 0.4), True), "neither of two": ((0.05, 0.3, 0.4, 0.5), False), "all": ((1.0, 1.0), False),
}  # fmt: skip


@pytest.mark.parametrize(("shares", "most"), SHARES.values(), ids=SHARES.keys())
def test_a_median_is_an_upper_limit_where_its_own_repetition_is(
    tmp_path: Path, shares: tuple[float, ...], most: bool
) -> None:
    folder = study_folder(tmp_path / "study", repeats=len(shares))
    changed(
        folder, "matches",
        lambda row: {"fraction": (own := shares[int(row["repeat"])]), "at_most": own in (0.05, 1.0)},
    )  # fmt: skip
    words = f"{'at most ' if most else ''}{share(statistics.median(shares))} of the labels (median of"
    assert values(folder)["sentence"].startswith(f"With {words}")


def test_all_labels_are_no_upper_limit(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", job={"label_fractions": [1.0], "target_fractions": [1.0]})
    changed(folder, "matches", lambda row: {"fraction": 1.0, "low": 1.0, "high": 1.0, "at_most": True})
    data = values(folder)
    assert "at most" not in data["sentence"] + data["answers"][0]["sentence"]


def test_an_encoder_that_has_no_rows_is_not_named_with_anothers_figure(tmp_path: Path) -> None:
    """Fine-tuning alone, against embeddings from a file: the baseline has no rows."""
    folder = study_folder(tmp_path / "study", methods=("finetune",), facts={"options": {"external": [f"{BASE}=b.npz"]}})
    for name in ("curves", "results", "subgroups", "operating_points", "calibration", "shift"):
        without(folder, name, BASE)
    for name in ("matches", "differences"):
        (folder / f"{name}.csv").unlink()
    html, data = reported(folder, tmp_path / "page.html")
    assert data["sentence"].startswith(
        "With all labels run/last reaches AUROC 0.95 in distribution; 0.66 out of distribution; 0.88 adapted; of base "
        "there is no figure to compare with –"
    )
    assert data["compared"].startswith("run/last (fine-tuned), with 5% to 100% of the labels")
    methods = data["made"]["methods"]
    assert "The encoder run/last was studied on pneumonia (2 classes)." in methods
    assert "Fine-tuning (of run/last): " in methods
    for words in ("Differences from", "was the baseline", "permutation", "reaches the baseline", "Probe:"):
        assert words not in methods
    assert "base with all labels" not in html
    assert "(baseline)</li>" not in html


def test_several_encoders_without_the_baseline_are_each_told(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", encoders=(BASE, OTHER, "c"), extras=False)
    without(folder, "curves", BASE)
    for name in ("matches", "differences"):
        (folder / f"{name}.csv").unlink()
    assert values(folder)["sentence"].startswith(
        "With all labels run/last reaches AUROC 0.95 in distribution, 0.66 out of distribution, 0.88 adapted; c 0.94 "
        "in distribution, 0.65 out of distribution, 0.87 adapted; of base there is"
    )


def test_methods_stand_with_each_encoder_where_they_differ(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", methods=("logistic", "finetune"))
    assert values(folder)["compared"].startswith("run/last against base (probe and fine-tuned), with")
    for name in ("curves", "matches", "differences"):
        without(folder, name, OTHER, "finetune")
    assert values(folder)["compared"].startswith("run/last (probe) against base (probe and fine-tuned), with")


def sizes(folder: Path, column: str, by: dict[str, tuple[int, int]]) -> None:
    """Give rows on the first data set other counts, by what `column` says."""

    def change(row: dict[str, Any]) -> dict[str, Any]:
        images, patients = by.get(row[column], (0, 0))
        return {"n": images, "n_patients": patients} if images and row["dataset"] == HERE else {}

    changed(folder, "curves", change)


def test_labels_that_stand_on_unlike_rows_have_a_range_everywhere(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", labels=LABELS)
    sizes(folder, "label", {"edema": (220, 180), "pneumonia": (200, 171)})
    changed(
        folder, "curves",
        lambda row: {"labelled_images": 500, "labelled_patients": 390}
        if (row["label"], row["fraction"], row["train_dataset"]) == ("edema", "1.0", HERE) else {},
    )  # fmt: skip
    data = values(folder)
    tested = "200 to 220 images of 171 to 180 patients"
    assert f"tested on {tested} of north (by label) and 300 images of 200 patients of south." in data["compared"]
    wanted = (
        "train 500 to 600 images of 390 to 400 patients (by label), validation 150 images of 110 patients, "
        f"test {tested} (by label)"
    )
    assert f"north (in distribution): {wanted}." in data["made"]["methods"]
    facts = {fact["name"]: fact["value"] for group in data["made"]["facts"] for fact in group["facts"]}
    assert facts["north, in distribution"] == wanted.replace(", validation", " · validation").replace(
        ", test", " · test"
    )


def test_repetitions_that_stand_on_unlike_rows_have_a_range_too(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", repeats=3)
    sizes(folder, "repeat", {"0": (250, 180), "1": (240, 180), "2": (275, 180)})
    changed(folder, "results", lambda row: {"n": {"0": 250, "1": 240, "2": 275}[row["repeat"]]})
    html, data = reported(folder, tmp_path / "page.html")
    tested = "240 to 275 images of 180 patients"
    assert f"tested on {tested} of north (by repetition) and" in data["compared"]
    assert f"test {tested} (by repetition)." in data["made"]["methods"]
    assert "validation 150 images of 110 patients in the first repetition" in data["made"]["methods"]
    assert f"</b> Tested on {tested}." in html
    assert ">240–275</td>" in html


def test_patients_on_the_axis_are_those_of_the_label(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", labels=LABELS)
    changed(folder, "curves", lambda row: {"labelled_patients": 77} if row["label"] == "edema" else {})
    html, _ = reported(folder, tmp_path / "page.html")
    first, second = html.split("<h3>edema</h3>")
    assert ">400</text>" in first
    assert ">77</text>" in second
    assert ">77</text>" not in first


def test_without_patients_images_are_counted_alone(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", job={"data_sets": {HERE: "a" * 64}, "other_sites": [],
                                                   "scenarios": [IN]})  # fmt: skip
    for name in ("curves", "matches", "differences", "results"):
        changed(folder, name, lambda row: {"dataset": HERE, "train_dataset": HERE})
    flowing(folder, units="images")
    flowing(folder, THERE, units="images")
    html, data = reported(folder, tmp_path / "page.html")
    assert "tested on 240 to 300 images of north" in data["compared"]
    methods = data["made"]["methods"]
    assert "validation 150 images, test" in methods
    assert "north names no patients; the images were drawn and resampled one by one." in methods
    assert "drawn 3 times by image, nested" in methods
    assert "patient" not in methods.replace("names no patients", "")
    assert data["cautions"][0].startswith(
        "north names no patients (patient_id): images of one patient may stand in more"
    )
    assert "share of the labels, with its images" in html
    assert '<th scope="col" class="number">patients</th><th scope="col" class="number">positive' not in html


ROW = {
    "scenario": IN, "dataset": "n.parquet", "train_dataset": "n.parquet", "label": "ill", "method": "logistic",
    "repeat": 1, "encoder": "enc", "baseline": "base", "line": 0.9, "line_low": 0.8, "fraction": 0.2, "low": 0.1,
    "high": 0.5, "at_most": False,
}  # fmt: skip


def test_a_line_on_the_console_tells_one_row_from_another() -> None:
    """The repetition, and where a model was learnt that is tested elsewhere."""
    assert match_line(ROW, 1) == (
        "ill, logistic, in distribution on n.parquet: with 20 % of the labels (10 % to 50 %) enc reaches what base "
        "needs all labels for (AUROC 0.900)"
    )
    assert match_line(ROW, 3).startswith("ill, logistic, in distribution on n.parquet, repetition 2 of 3: with")
    elsewhere = ROW | {"scenario": OUT, "dataset": "s.parquet"}
    assert match_line(elsewhere, 1).startswith(
        "ill, logistic, out of distribution on s.parquet (learnt on n.parquet): "
    )


def test_a_line_on_the_console_says_where_the_baseline_is_at_chance() -> None:
    low = ROW | {"line": 0.277, "line_low": 0.1}
    chance = "what base needs all labels for (AUROC 0.277), but base is no better than chance there"
    assert match_line(low, 1).endswith(f"enc reaches {chance}")
    assert match_line(low | {"fraction": float("inf")}, 1).endswith(f"enc does not reach {chance}")
    assert "at most" in match_line(ROW | {"at_most": True}, 1)
    assert "at most" not in match_line(ROW | {"at_most": True, "fraction": 1.0}, 1)
