"""How a study was made: true numbers in the methods, commands that can be typed again, a checklist of topics."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from remedis.arguments import parse
from remedis.evaluate.efficiency import MARGIN
from remedis.evaluate.fixed_parts import SHARES
from remedis.options.study import Study
from remedis.report.of_study import study_data
from remedis.report.study_folder import open_study
from remedis.report.study_methods import STRENGTHS
from remedis.report.study_names import Names
from report_folders import reported
from report_studies import BASE, OTHER, study_folder

TOPICS = {
    "CLAIM": ["7", "8", "9", "12", "13", "14–18", "19", "20", "33", "34", "41", "42"],
    "TRIPOD+AI": ["calibration, not just discrimination", "fairness", "open science: protocol, data, code",
                  "patient involvement", "model availability"],
    "STARD-AI": ["dataset practices", "AI index test, its version and evaluation", "algorithmic bias and fairness",
                 "2 × 2 table at a stated threshold", "flow diagram"],
}  # fmt: skip


def made(folder: Path) -> dict[str, Any]:
    study = open_study(folder)
    return study_data(study, Names(study, names=False), report=[])


def facts(data: dict[str, Any]) -> dict[str, str]:
    return {fact["name"]: fact["value"] for group in data["made"]["facts"] for fact in group["facts"]}


def test_a_methods_paragraph_has_the_studys_numbers(tmp_path: Path) -> None:
    said = made(study_folder(tmp_path / "study"))["made"]["methods"]
    for words in (
        "The encoders base and run/last were compared on pneumonia (2 classes); base was the baseline.",
        "north (in distribution): train 600 images of 400 patients, validation 150 images of 110 patients, test 240 "
        "images of 180 patients.",
        "south (another site):",
        "a missing one was drawn from the training part by patient and stratified by label (15% of the patients for "
        "validation, then 20% of those left for test).",
        "Models learnt from 5%, 25% and 100% of the training part’s patients. Each share below 100% was drawn 3 times "
        "by patient, nested",
        "Labels of the validation part, which chose settings, are not counted among the shares.",
        "frozen embeddings (float32) of 64 × 64 px images, standardised by mean and standard deviation of the whole",
        "C was chosen from 45 values between 10^-6 and 10^5 by the log loss on the validation part",
        "1,000 bootstrap draws that resample whole patients and, at each share, the draws of the labels",
        "p adjusted by Holm over encoders and labels of a scenario, tested data set and method.",
        "Non-inferior means a lower limit above −0.01.",
        "remedis 0.1.0, seed 7.",
    ):  # fmt: skip
        assert words in said
    assert "Fine-tuning" not in said
    assert (SHARES["validation"], SHARES["test"], MARGIN) == (0.15, 0.2, 0.01)


def test_fine_tuning_and_repetitions_are_told(tmp_path: Path) -> None:
    folder = study_folder(
        tmp_path / "study", methods=("finetune",), repeats=4, job={"image_size": None, "target_fractions": [0.5, 1.0]}
    )
    data = made(folder)
    said = data["made"]["methods"]
    assert "Probe:" not in said
    assert (
        "all layers, SGD with Nesterov momentum, learning rate 0.1 × batch / 256, weight decay 0, 40 steps of 64"
        in said
    )
    assert "The whole was done 4 times, each time with parts drawn anew from all rows by patient" in said
    assert "of the training part’s patients (50% and 100% when adapted)." in said
    found = facts(data)
    assert found["image size"] == "each encoder’s own"
    assert found["repetitions"] == "4"
    assert found["fine-tuning computed in"] == "bfloat16"
    assert "C of the probe" not in found


def test_the_probes_strengths_are_the_programs() -> None:
    from remedis.study.probes import STRENGTHS as USED

    count, low, high = STRENGTHS
    assert (len(USED), min(USED), max(USED)) == (count, 10.0**low, 10.0**high)


def test_the_protocol_names_everything_that_decides(tmp_path: Path) -> None:
    found = facts(made(study_folder(tmp_path / "study")))
    assert found["draws of a share below 100%"].startswith(
        "3: by patient, nested, stratified by class, the same for every"
    )
    assert found["seed"] == "7"
    assert found["base (baseline), hash of its weights (SHA-256)"] == "0" * 64
    assert found["north, hash of the manifest (SHA-256)"] == "a" * 64
    assert found["south, other site"].endswith(" · test 300 images of 200 patients")
    assert found["commit"] == "c" * 40
    assert found["made with"] == "remedis 0.1.0 · torch 2.14.1"
    assert {"in distribution", "out of distribution", "adapted", "validation", "features of the probe"} <= set(found)
    assert "fine-tuning computed in" not in found


def test_settings_of_fine_tuning_say_where_they_come_from(tmp_path: Path) -> None:
    assert made(study_folder(tmp_path / "probes"))["made"]["settings"] == []
    folder = study_folder(
        tmp_path / "study", methods=("finetune",), facts={"options": {"recipe": "chexpert", "train_steps": 40}}
    )
    found = {each["name"]: each for each in made(folder)["made"]["settings"]}
    assert (found["train steps"]["words"], found["train steps"]["source"]) == ("40", "command line")
    assert (found["flip"]["words"], found["flip"]["source"]) == ("no", "recipe")
    assert found["flip"]["reason"].startswith("ours: a mirrored chest")
    assert found["learning rate"]["source"] == "default"  # 0.1 is not the recipe's
    assert found["decay at"]["words"] == "0.3, 0.6 and 0.9"


def test_the_command_can_be_typed_again(tmp_path: Path) -> None:
    typed = ["study", "--manifest", "n.parquet", "--ood", "s.parquet", "--encoders", f"{BASE},{OTHER}", "--label",
             "pneumonia", "--label-fractions", "0.05,0.25", "--draws", "3", "--out", "study"]  # fmt: skip
    folder = study_folder(tmp_path / "study", facts={"command": typed, "processes": 4})
    (command,) = made(folder)["made"]["commands"]
    assert command.startswith("torchrun --nproc-per-node 4 -m remedis study --manifest")
    words = shlex.split(command)[5:]
    assert words == typed
    assert parse(Study, "study", words[1:]) == parse(Study, "study", typed[1:])


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (["study", "/home/M/s.toml", "--out=/home/M/study"], "study s.toml --out=study"),
        (["study", "--external", "cxr=/home/M/e.npz,b=f.npz"], "study --external cxr=e.npz,b=f.npz"),
        (["study", "--encoders", "base,/x/y/last"], "study --encoders base,last"),
    ],
    ids=["file", "external", "encoders"],
)
def test_paths_of_the_command_are_short(tmp_path: Path, typed: list[str], shown: str) -> None:
    folder = study_folder(tmp_path / "study", facts={"command": typed})
    assert made(folder)["made"]["commands"] == [f"remedis {shown}"]


def test_the_checklist_holds_the_sourced_topics_and_no_other(tmp_path: Path) -> None:
    data = made(study_folder(tmp_path / "study"))
    found = {
        guideline: [row["item"] or row["topic"] for row in data["checklist"] if row["guideline"] == guideline]
        for guideline in TOPICS
    }
    assert found == TOPICS
    assert len(data["checklist"]) == sum(map(len, TOPICS.values()))
    unanswered = {row["item"] or row["topic"] for row in data["checklist"] if not row["at"]}
    assert unanswered == {"12", "14–18", "42", "patient involvement"}
    assert all(row["note"].startswith("not available") == (not row["at"]) for row in data["checklist"])


def test_what_the_page_lacks_is_not_available(tmp_path: Path) -> None:
    html, data = reported(study_folder(tmp_path / "study", extras=False), tmp_path / "page.html")
    topics = {row["topic"]: row for row in data["checklist"]}
    for topic in ("flow diagram", "fairness", "2 × 2 table at a stated threshold", "demographics per partition"):
        assert (topics[topic]["at"], topics[topic]["note"]) == ("", "not available")
    ids = set(re.findall(r'id="([^"]+)"', html))
    assert {row["at"] for row in data["checklist"] if row["at"]} <= ids


def test_the_articles_figures_stand_once_as_reported(tmp_path: Path) -> None:
    html, _ = reported(study_folder(tmp_path / "study"), tmp_path / "page.html")
    assert html.count("11.5%") == html.count("1% to 33%") == 1
    (said,) = re.findall(r"<p>([^<]*11\.5%[^<]*)</p>", html)
    assert said.startswith("The REMEDIS article reported, for its own encoders and images,")
    assert said.endswith("These are reported figures; nothing on this page repeats them.")


def test_delong_is_cited_and_shown_where_it_was_used(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study")
    html, data = reported(folder, tmp_path / "page.html")
    assert "DeLong" not in html
    path = folder / "differences.csv"
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join([lines[0], *(f"{line}0.033" if line.endswith("0.024,") else line for line in lines[1:])]) + "\n"
    )
    html, other = reported(folder, tmp_path / "page.html")
    assert "p (DeLong)" in html
    assert ">0.033</td>" in html
    assert len(other["made"]["citations"]) == len(data["made"]["citations"]) + 1
    assert json.dumps(other["made"]["citations"]).count("10.1038/s41551-023-01049-7") == 1
