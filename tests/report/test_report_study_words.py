"""What a study's page says of its parts, its methods and its tables holds for the study that it is of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from html_check import Strict, table_rows
from remedis.recipes.finetuning import RECIPES, FineTuning, resolve
from remedis.report.study_tuning import sentences
from report_folders import reported
from report_studies import BASE, HERE, OTHER, THERE, flowing, study_folder, values


def said(folder: Path, place: int = 0) -> dict[str, Any]:
    """What the page says of who is in a data set."""
    flow: dict[str, Any] = values(folder)["flow"][place]
    return flow


def methods(folder: Path) -> str:
    return str(values(folder)["made"]["methods"])


def sums(flow: dict[str, Any]) -> bool:
    (step,) = flow["steps"]
    return step["images"] == sum(each["count"] for each in step["out"]) + sum(each["images"] for each in flow["parts"])


def test_the_boxes_add_up(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study")
    assert all(sums(each) for each in values(folder)["flow"])
    assert [(each["count"], each["why"]) for each in said(folder)["steps"][0]["out"]] == [
        (7, "label is empty"), (3, "class 2 is excluded"),
    ]  # fmt: skip


def test_reasons_that_overlap_are_one_box(tmp_path: Path) -> None:
    """A folder of before: each label's reasons, of which the last one counted, and unreadable images beside them."""
    folder = study_folder(tmp_path / "study")
    flowing(folder, left_out={"label is empty": 52, "class 2 is excluded": 1}, unreadable=5)
    flow = said(folder)
    assert flow["steps"][0]["out"] == [{"why": "label is empty, class 2 is excluded", "count": 10}]
    assert sums(flow)
    assert "5 images could not be read and are counted here all the same." in flow["words"]
    flowing(folder, left_out={"label is empty": 52}, rows=990)
    assert said(folder)["steps"][0]["out"] == []


def labelled(folder: Path, lacking: int, **parts: tuple[int, int]) -> None:
    """Say that one label lacks so many images of the parts, and what of each part is left for it."""
    used = {part: {"images": images, "patients": patients} for part, (images, patients) in parts.items()}
    whole = {part: {"images": images, "patients": 9} for part, images in (("train", 600), ("validation", 150),
                                                                         ("test", 240))}  # fmt: skip
    entries = {"edema": {"lacking": lacking, "why": ["label is empty"] * bool(lacking), "parts": used},
               "pneumonia": {"lacking": 0, "why": [], "parts": whole}}  # fmt: skip
    flowing(folder, labels=entries)


def test_what_one_label_lacks_stands_beside_the_parts(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", labels=("pneumonia", "edema"))
    labelled(folder, 36, train=(590, 390), validation=(150, 110), test=(214, 1))
    flowing(folder, by_class={"edema": {"train": {"0": 400, "1": 190}, "validation": {"0": 100, "1": 50},
                                        "test": {"0": 200, "1": 14}}})  # fmt: skip
    flow = said(folder)
    assert "36 of the images in the parts are not used for edema (label is empty)." in flow["words"]
    assert "pneumonia" not in flow["words"]
    assert [each["used"] for each in flow["parts"]] == [
        ["edema: 590 images of 390 patients", "pneumonia: 600 images of 9 patients"], [],
        ["edema: 214 images of 1 patient", "pneumonia: 240 images of 9 patients"],
    ]  # fmt: skip
    html, _ = reported(folder, tmp_path / "page.html")
    assert "edema: 590 images of 390 patients" in [text for _, text in Strict(html).texts]
    assert ["edema: not used", "10 (2%)", "0 (0%)", "26 (11%)"] in table_rows(html, "baseline")


def test_images_that_no_method_could_score_are_said(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study")
    flowing(folder, tested=236)
    words = "236 of the 240 images in the test part were tested: those that every encoder and method could score."
    assert words in said(folder)["words"]
    assert "were tested" not in said(study_folder(tmp_path / "other"))["words"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"given": [], "drawn": ["validation", "test"]}, "Validation and test drawn by patient, stratified by label."),
        (
            {"given": [], "drawn": ["validation", "test"], "split_unused": {"fold1": 1200, "fold2": 80}},
            "The column split counts as absent, as none of its rows says train (fold1 1,200, fold2 80). Validation and",
        ),
        ({"given": ["train"], "drawn": ["validation", "test"]}, "The manifest gives the part train. Validation"),
        ({"given": None, "drawn": ["validation", "test"]}, "Validation and test drawn by patient"),
        ({"given": None, "drawn": ["test"]}, "The manifest gives the parts train and validation. Test drawn by"),
        ({"given": [], "drawn": ["validation", "test"], "units": "images"}, "Validation and test drawn by image, "),
    ],
    ids=["no-column", "other-words", "train-alone", "older", "older-with-one", "images"],
)  # fmt: skip
def test_only_parts_that_were_given_are_said_to_be(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    folder = study_folder(tmp_path / "study")
    flowing(folder, **changes)
    assert said(folder)["words"].startswith(words)


def test_without_patients_nothing_is_said_of_them(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study")
    flowing(folder, units="images")
    flow = said(folder)
    assert "No patient stands" not in flow["words"]
    assert "The manifest names no patients, so that images of one may stand in more than one part." in flow["words"]
    assert [each["units_words"] for each in flow["parts"]] == ["", "", ""]
    assert "patients" not in [row["name"] for row in flow["table"]]
    assert "north names no patients; the images were drawn and resampled one by one." in methods(folder)


def test_parts_that_no_scenario_asks_for_are_called_so(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study")
    for name in ("curves", "matches"):
        lines = (folder / f"{name}.csv").read_text().splitlines(keepends=True)
        (folder / f"{name}.csv").write_text("".join(line for line in lines if not line.startswith("adapted")))
    assert [each["name"] for each in said(folder, 1)["parts"]] == [
        "train part, not used", "validation part, not used", "tested",
    ]  # fmt: skip
    assert "south (another site): test 300 images of 200 patients." in methods(folder)


SHARES = "(15% of the patients for validation, then 20% of those left for test)"


@pytest.mark.parametrize(
    ("changes", "repeats", "words"),
    [
        ({"given": ["train", "validation", "test"], "drawn": []}, 1, "Parts were those of the manifests. Models"),
        (
            {"given": [], "drawn": ["validation", "test"]}, 1,
            f"Parts were drawn from all rows by patient and stratified by label {SHARES}. Models",
        ),
        (
            {"given": ["train", "test"], "drawn": ["validation"]}, 1,
            "Parts were those of the manifests; a missing one was drawn from the training part by patient and "
            f"stratified by label {SHARES}. Models",
        ),
        (
            {"given": [], "drawn": ["validation", "test"]}, 4,
            "The whole was done 4 times, each time with parts drawn anew from all rows by patient and stratified by "
            f"label {SHARES}. Models",
        ),
    ],
    ids=["given", "drawn", "one-drawn", "repeated"],
)  # fmt: skip
def test_where_parts_come_from(tmp_path: Path, changes: dict[str, Any], repeats: int, words: str) -> None:
    folder = study_folder(tmp_path / "study", repeats=repeats)
    for data_set in (HERE, THERE):
        flowing(folder, data_set, **changes)
    assert words in methods(folder)


def test_embeddings_from_files_are_called_so(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study", facts={"options": {"external": [f"{OTHER}=/home/M/other=2.npz"]}})
    assert (
        "logistic regression on frozen embeddings (float32) of 64 × 64 px images (for run/last embeddings from files "
        "made elsewhere), standardised"
    ) in methods(folder)
    facts = {each["name"]: each["value"] for group in values(folder)["made"]["facts"] for each in group["facts"]}
    assert facts["run/last, hash of the file with its embeddings (SHA-256)"] == "1" * 64
    assert facts["base (baseline), hash of its weights (SHA-256)"] == "0" * 64
    assert facts["image size"] == "64 px; of embeddings from files it is not known"


def test_a_study_of_files_alone_says_nothing_of_pixels(tmp_path: Path) -> None:
    external = [f"{name}=x.npz" for name in (BASE, OTHER)]
    folder = study_folder(tmp_path / "study", facts={"options": {"external": external}})
    assert "logistic regression on embeddings (float32) from files made elsewhere, standardised" in methods(folder)
    assert "64" not in methods(folder)
    facts = {each["name"] for group in values(folder)["made"]["facts"] for each in group["facts"]}
    assert "image size" not in facts
    assert not any("hash of its weights" in name for name in facts)


def tuned(recipe: str | None = None, **given: Any) -> str:
    settings = resolve(recipe, given, images=100, pixels=200 * 200)
    return sentences({name: getattr(settings, name) for name in FineTuning.__dataclass_fields__})


def test_fine_tuning_says_what_a_checklist_asks_for() -> None:
    assert tuned(image_size=64, train_steps=30) == (
        "Fine-tuning: all layers, SGD with Nesterov momentum 0.9, learning rate 0.1 × batch / 256 that falls to 0 by a "
        "cosine, weight decay 0, 30 steps of 64 images. The head started anew in each training, from small random "
        "weights, decided by seed and draw. Views were of 64 × 64 px: a random crop of 8% to 100% of the image, half "
        "of them mirrored left to right. The validation part was evaluated after each epoch, or each tenth of a "
        "training where that is shorter; the step with the best AUROC on it was kept; a training ended after 10 "
        "evaluations without a better one."
    )


@pytest.mark.parametrize(
    ("recipe", "given", "words"),
    [
        ("bit-hyperrule", {}, "SGD with plain momentum 0.9, learning rate 0.003 that falls to a tenth at 40%, 60% and "
         "80% of the steps after a linear warm-up over 20% of the steps, weight decay 0, 500 steps of 512 images. The "
         "head started anew in each training, from 0. Views were of 480 × 480 px: a random crop of 88% to 100%"),
        ("bit-hyperrule", {}, "the step with the best AUROC on it was kept."),
        ("chexpert", {}, "Adam, learning rate 0.0001 that falls to 0 by a cosine, weight decay 0, 3 epochs in steps of "
         "16 images."),
        ("chexpert", {}, "Views were of 448 × 448 px: a random crop of 50% to 100% of the image, rotated by up to 10° "
         "to either side."),
        ("camelyon", {}, "LARS with momentum 0.9, learning rate 0.1 that falls to 0 by a cosine after a linear warm-up "
         "over 10%"),
        (None, {"crop_area": 1.0, "flip": False}, "Views were of each encoder’s own size: the whole image."),
        (None, {"use_elastic_deform": True, "equalize_histogram": True, "mixup": 0.1}, "deformed elastically, half of "
         "them with an equalised histogram, mixed in pairs (mixup, α 0.1)."),
        (None, {"class_weights": "balanced", "fine_tune_after_block": 4}, "the head alone, SGD"),
        (None, {"class_weights": "balanced"}, "weight decay 0, classes weighted alike, 30 epochs"),
        (None, {"train_steps": 1, "train_batch_size": 8}, "1 step of 8 images."),
        (None, {"train_epochs": 1, "train_batch_size": 1, "patience": 1}, "1 epoch in steps of 1 image."),
        (None, {"patience": 1}, "ended after 1 evaluation without"),
    ],
)  # fmt: skip
def test_every_setting_of_fine_tuning_is_in_words(recipe: str | None, given: dict[str, Any], words: str) -> None:
    assert words in tuned(recipe, **given)


def test_every_optimizer_has_words() -> None:
    named = {name: tuned(optimizer=name) for name in ("lars", "momentum", "sgd", "adam", "adamw")}
    assert not any(f" {name}," in text for name, text in named.items())
    assert len(set(named.values())) == 5
    assert set(RECIPES) == {"chexpert", "camelyon", "bit-hyperrule"}


def test_a_trivial_features_excuse_stands_beside_its_name(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study")
    path = folder / "audit.json"
    text = path.read_text().replace("image size and aspect alone reach", "brightness alone reaches")
    path.write_text(text.replace("; compare every", ", which a disease can change too; compare every"))
    html, _ = reported(folder, tmp_path / "page.html")
    assert (
        "Dotted: brightness alone, which a disease can change too, reaches 0.87 on all of north, learnt there in folds "
        "by patient.</figcaption>"
    ) in html
    flowing(folder, units="images")
    assert "learnt there in folds by image." in reported(folder, tmp_path / "page.html")[0]


def test_the_checklist_says_where_on_the_page(tmp_path: Path) -> None:
    html, _ = reported(study_folder(tmp_path / "study"), tmp_path / "page.html")
    (heads,) = re.findall(r'<table class="checklist">.*?<tr>(.*?)</tr>', html, re.DOTALL)
    assert re.findall(r">([^<]+)</th>", heads) == ["guideline", "item", "topic", "on this page", "note"]


def test_a_narrow_screen_has_the_question_in_the_encoders_cell(tmp_path: Path) -> None:
    """There the columns of words and the drawing are left out, so that the share stands beside the encoder."""
    folder = study_folder(tmp_path / "study", labels=("pneumonia", "edema"), methods=("logistic", "finetune"))
    html, _ = reported(folder, tmp_path / "page.html")
    assert 'data-at="out of distribution, north → south, edema, fine-tuned"' in html
    (narrow,) = re.findall(r"@media \(max-width: 46rem\) \{ \.keys.*", html)
    assert "table .word, table.matches .plot { display: none; }" in narrow
    assert "content: attr(data-at)" in narrow
    (heads,) = re.findall(r'<table class="sortable matches">.*?<tr>(.*?)</tr>', html, re.DOTALL)
    assert re.findall(r'<th scope="col"(?: class="(\w+)")?>', heads)[:6] == [
        "",
        "word",
        "word",
        "word",
        "word",
        "number",
    ]
    (cells, *_) = re.findall(r"<tr>(<th scope=\"row\" data-at.*?)</tr>", html, re.DOTALL)
    assert cells.count('<td class="word">') == 4


@pytest.mark.parametrize(("shares", "anchors"), [((1.0,), ["end"]), ((0.01, 1.0), ["start", "middle", "end"])])
def test_a_scales_marks_stay_within_their_column(tmp_path: Path, shares: tuple[float, ...], anchors: list[str]) -> None:
    folder = study_folder(tmp_path / "study")
    path = folder / "curves.csv"
    text = path.read_text().replace(",0.05,3,", f",{shares[0]},3,").replace(",0.25,3,", f",{shares[0]},3,")
    path.write_text(text)
    html, _ = reported(folder, tmp_path / "page.html")
    (heads,) = re.findall(r'<table class="sortable matches">.*?<tr>(.*?)</tr>', html, re.DOTALL)
    assert re.findall(r'text-anchor="(\w+)"', heads) == anchors
