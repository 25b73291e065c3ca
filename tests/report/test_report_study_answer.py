"""A study's answer says what its tables say: shares that reach the baseline, those that do not, and chance."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from remedis.data.manifest import Manifest
from remedis.report.study_answer import limits, share
from remedis.report.study_audit import highest, lone_words, shortcuts
from remedis.report.study_folder import open_study
from remedis.report.study_names import Names, listed
from remedis.study.audit import of_shortcuts
from report_studies import BASE, HERE, OTHER, THERE, changed, study_folder, values


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.1526, "15%"), (0.9949, "99%"), (1.0, "100%"), (0.0996, "10%"), (0.0342, "3.4%"), (0.005, "0.5%"),
     (math.inf, "not reached"), (None, "not known"), (math.nan, "not known")],
    ids=["tens", "nearly", "all", "ten", "ones", "half", "never", "none", "nan"],
)  # fmt: skip
def test_a_share_is_short(value: float | None, words: str) -> None:
    assert share(value) == words


def test_the_smallest_share_tried_is_an_upper_limit() -> None:
    assert limits(0.05, 0.6, 0.05) == "≤ 5% to 60%"
    assert limits(0.08, math.inf, 0.05) == "8% to not reached"
    assert limits(math.inf, math.inf, 0.05) == "not reached"
    assert limits(1.0, 1.0, 1.0) == "100%"


def test_the_sentence_goes_through_the_scenarios(tmp_path: Path) -> None:
    data = values(study_folder(tmp_path / "study"))
    assert data["sentence"] == (
        "With 20% of the labels (8% to 60%) run/last reaches what base needs all of them for; on south, without any "
        "label of it, run/last does not reach what base needs all labels for; adapted to south with at most 5% of its "
        "labels (≤ 5% to 11%) run/last reaches what base needs all of them for – but image size and aspect alone reach "
        "0.87 on north"
    )
    assert [piece["text"] for piece in data["heading"] if piece["strong"]] == ["20%", "5%", "0.87"]
    assert data["answers"][0]["sentence"] == (
        "pneumonia, probe, in distribution on north: with 20% of the labels (8% to 60%) run/last reaches AUROC 0.900 "
        "(0.850–0.930), which base needs all of them for; with all labels it reaches 0.950 (0.900–0.980)."
    )
    assert data["answers"][1]["sentence"] == (
        "pneumonia, probe, out of distribution on south (learnt on north): run/last does not reach with any share of "
        "the labels AUROC 0.720 (0.670–0.750), which base needs all of them for; with all labels it reaches 0.660 "
        "(0.610–0.690)."
    )
    assert data["compared"] == (
        "run/last against base (probe), with 5% to 100% of the labels, each share below 100% drawn 3 times; tested on "
        "240 images of 180 patients of north and 300 images of 200 patients of south."
    )


def test_what_is_reached_elsewhere_names_whose_labels(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study")
    found = {"fraction": 0.3, "low": 0.1, "high": 0.9}
    changed(folder, "matches", lambda row: found if row["scenario"] == "out_of_distribution" else {})
    assert (
        "; on south, without any label of it, with 30% of north’s labels (10% to 90%) run/last reaches what"
        in values(folder)["sentence"]
    )


@pytest.mark.parametrize("own", [0.4, 0.61], ids=["neither", "one"])
def test_a_baseline_at_chance_answers_nothing(tmp_path: Path, own: float) -> None:
    folder = study_folder(tmp_path / "study")
    out = "out_of_distribution"
    changed(folder, "matches", lambda row: {"line_low": 0.5} if row["scenario"] == out else {})
    changed(folder, "curves", lambda row: {"low": own} if (row["scenario"], row["encoder"]) == (out, OTHER) else {})
    data = values(folder)
    who = "neither run/last nor base is" if own < 0.5 else "base is not"
    assert f"; on south, without any label of it, {who} better than chance; adapted" in data["sentence"]
    neither = " and neither is it" if own < 0.5 else ""
    assert data["answers"][1]["sentence"].endswith(
        f". base is no better than chance there{neither}, so that this says nothing of labels."
    )
    assert any("base with all labels is no better than chance at pneumonia out of" in line for line in data["cautions"])
    assert not any("better than chance" in data["answers"][place]["sentence"] for place in (0, 2))


def test_many_comparisons_are_counted(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", encoders=(BASE, OTHER, "c"), labels=("pneumonia", "edema"))
    missed = {"fraction": "inf", "high": "inf"}
    changed(
        folder, "matches",
        lambda row: (missed if row["label"] == "edema" else {"fraction": 0.4})
        if (row["scenario"], row["encoder"]) == ("in_distribution", "c") else {},
    )  # fmt: skip
    data = values(folder)
    assert data["sentence"].startswith(
        "What base needs all labels for is reached in distribution in 3 of 4 comparisons with 20% to 40% of them; "
        "out of distribution in 0 of 4; adapted in 4 of 4 with at most 5% of them –"
    )
    assert any(
        line.startswith("12 comparisons stand here; none was named the primary one") for line in data["cautions"]
    )
    assert not any("comparisons" in line for line in values(study_folder(tmp_path / "one"))["cautions"])


def test_the_strongest_trivial_feature_ends_the_sentence(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study")
    audit = json.loads((folder / "audit.json").read_text())
    (size,) = audit[HERE]
    said = "pneumonia: brightness alone reaches AUROC 0.91 (0.88 to 0.94, 546 patients), which a disease can change too"
    brightness = size | {"message": f"{said}; compare every figure with that"}
    (folder / "audit.json").write_text(json.dumps({HERE: [size], THERE: [brightness]}))
    data = values(folder)
    assert data["sentence"].endswith(" – but brightness alone reaches 0.91 on south")
    assert data["cautions"][0].startswith(
        "south, pneumonia: brightness alone, which a disease can change too, reaches AUROC 0.91 (0.88–0.94), without a"
    )
    assert [each["lone"]["value"] for each in data["answers"]] == [0.87, 0.91, 0.91]
    (folder / "audit.json").write_text(json.dumps({HERE: [], THERE: []}))
    assert " alone " not in values(folder)["sentence"]


def test_an_encoder_alone_is_told_by_its_auroc(tmp_path: Path) -> None:
    data = values(study_folder(tmp_path / "study", encoders=(BASE,)))
    assert data["sentence"].startswith(
        "With all labels base reaches AUROC 0.90 in distribution; 0.72 out of distribution; 0.75 adapted"
    )
    assert data["answers"] == []


def test_repetitions_give_a_median_and_a_range(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", repeats=3)
    shares = {"0": 0.1, "1": "inf", "2": 0.3}
    changed(
        folder, "matches",
        lambda row: {"fraction": shares[row["repeat"]]}
        if (row["scenario"], row["encoder"]) == ("in_distribution", OTHER)
        else {},
    )  # fmt: skip
    data = values(folder)
    first = data["answers"][0]
    assert (first["fraction"], first["low"], first["high"], first["reached"]) == (0.3, 0.1, math.inf, 2 / 3)
    assert first["line"] == pytest.approx(0.9 - 0.04)  # repetitions lie 0, 0.04 and 0.08 below
    assert "With 30% of the labels (median of 3 repetitions, 10% to not reached) run/last" in data["sentence"]
    assert ", in 2 of 3 repetitions; with all labels it reaches 0.910" in first["sentence"]
    assert any("Repetitions draw their parts from the same images" in line for line in data["cautions"])


def test_the_audits_own_words_are_read(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    ill = np.arange(120) % 2
    table = pa.table({
        "image": [f"{row}.png" for row in range(120)], "patient_id": [str(row) for row in range(120)],
        "pneumonia": ill, "width": 200 + 40 * ill + random.integers(0, 90, 120), "height": [300] * 120,
    })  # fmt: skip
    (finding,) = of_shortcuts(Manifest(table=table, root=tmp_path, facts={}, path=None), "pneumonia")
    folder = study_folder(tmp_path / "study")
    entry = {"kind": "shortcut", "severity": "warning", "message": finding.message, "count": 120, "examples": []}
    weaker = entry | {"message": finding.message.replace("AUROC 0.", "AUROC 0.0").replace("image size", "brightness")}
    (folder / "audit.json").write_text(json.dumps({THERE: [weaker, entry]}))
    (first, _) = found = shortcuts(open_study(folder))
    assert finding.message.startswith(f"pneumonia: {lone_words(first)} AUROC {first.value:.2f} ({first.low:.2f} to ")
    assert (first.data_set, first.label, first.units) == (THERE, "pneumonia", "120 patients")
    assert highest(found, THERE, "pneumonia") is first
    assert highest(found, HERE, "pneumonia") is None


def test_the_audits_cautions_come_first_and_small_numbers_are_said(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study")
    leak = {
        "kind": "leak",
        "severity": "error",
        "message": "2 patients are in two parts",
        "count": 2,
        "examples": ["P"],
    }
    audit = json.loads((folder / "audit.json").read_text())
    (folder / "audit.json").write_text(json.dumps(audit | {THERE: [leak]}))
    changed(folder, "curves", lambda row: {"n_patients": 12} if row["dataset"] == THERE else {})
    lines = values(folder)["cautions"]
    assert lines[0] == "south: the audit found an error (leak): 2 patients are in two parts."
    assert lines[1].startswith("north, pneumonia: image size and aspect alone reach AUROC 0.87 (0.85–0.90)")
    assert "The intervals on south rest on 12 patients, too few to be believed." in lines
    assert "A share below 100% stands on 3 draws of the labels; their spread is hardly known." in lines
    changed(folder, "curves", lambda row: {"draws": 5 if row["fraction"] != "1.0" else 1})
    assert not any("draws of the labels" in line for line in values(folder)["cautions"])


def test_names_are_short_and_told_apart(tmp_path: Path) -> None:
    encoders = ("/a/Mueller/enc", "/b/enc", "runs/last", "timm:resnet50", "C:\\Mueller\\enc2")
    folder = study_folder(tmp_path / "study", encoders=encoders)
    study = open_study(folder)
    names = Names(study, names=False)
    assert [names.encoder(each) for each in encoders] == ["enc (1)", "enc (2)", "runs/last", "timm:resnet50", "enc2"]
    assert [Names(study, names=True).encoder(each) for each in encoders] == list(encoders)
    assert len({names.css(each) for each in encoders}) == len(encoders)
    assert names.css("/b/enc") == "var(--accent)"
    assert [listed(some) for some in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
