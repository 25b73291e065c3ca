"""A study's page: sound HTML that loads nothing, every table as its CSV has it, no names, and what is missing said."""

from __future__ import annotations

import csv
import itertools
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from html_check import Strict, table_rows
from remedis.cli import run
from remedis.report import of_study
from report_folders import reported
from report_studies import BASE, HERE, OTHER, SECRET, THERE, study_folder

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "report.md"
TEMPLATES = Path(of_study.__file__).parent / "templates"
KINDS = ("plain", "bare", "several", "repeated", "alone")
MODELS = {
    "plain": {}, "bare": {"extras": False}, "repeated": {"repeats": 3, "extras": False},
    "several": {"encoders": (BASE, OTHER, "c"), "methods": ("logistic", "finetune"), "labels": ("pneumonia", "edema")},
    "alone": {"encoders": (BASE,), "extras": False},
}  # fmt: skip
SITE = {HERE: "north", THERE: "south"}
WHERE = {"in_distribution": "north", "out_of_distribution": "north → south", "adapted": "south"}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str, dict[str, Any]]]:
    """The folder of each kind of study, its page and its JSON."""
    found = {}
    for kind in KINDS:
        folder = study_folder(tmp_path_factory.mktemp(kind) / "study", **MODELS[kind])
        found[kind] = (folder, *reported(folder, folder.parent / "page.html"))
    return found


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_sound_and_loads_nothing(pages: dict[str, Any], kind: str) -> None:
    _, html, _ = pages[kind]
    found = Strict(html)
    assert found.problems == []
    ids = found.values("id")
    assert len(set(ids)) == len(ids) > 10
    referred = [value[1:] for value in found.values("href") if value.startswith("#")]
    referred += [name for value in found.values("aria-labelledby") for name in value.split()]
    referred += found.values("data-of") + re.findall(r"url\(#([^)]+)\)", html)
    assert set(referred) <= set(ids)
    assert all(value.startswith(("#", "https://doi.org/")) for value in found.values("href"))
    assert found.values("src") == []
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|<link", html)
    (policy,) = [a["content"] for tag, a in found.elements if tag == "meta" and "http-equiv" in a]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert len(html.encode()) < 5e6


@pytest.mark.parametrize("kind", KINDS)
def test_its_parts_stand_in_their_order(pages: dict[str, Any], kind: str) -> None:
    html = pages[kind][1]
    found = Strict(html)
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(later <= before + 1 for before, later in itertools.pairwise(levels))
    ordered = ["answer", "figures", "trust", "people", "made"]
    assert [value for value in found.values("id") if value in ordered] == ordered
    assert html.count("Research software, not a diagnostic device.") == 2
    assert all(a.get("scope") in ("row", "col") for tag, a in found.elements if tag == "th")
    drawn = [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]
    assert all((root.findtext("title") or "").strip() or root.get("aria-hidden") == "true" for root in drawn)


def test_the_frame_stands_in_one_place() -> None:
    for name in ("page", "run", "study", "evaluation"):
        text = (TEMPLATES / f"{name}.html").read_text()
        assert text.startswith('{%- extends "base.html" -%}')
        assert not re.search(r"<html|<head|<footer|<nav|Content-Security-Policy|report\.notice", text)


def test_every_figure_names_a_file_that_is_there(pages: dict[str, Any]) -> None:
    for kind in KINDS:
        folder, html, _ = pages[kind]
        named = set(re.findall(r"<code>([a-z_]+\.(?:csv|json))</code>", html)) - {"page.json"}
        missing = set(re.findall(r"not available, there is no <code>([a-z_.]+)</code>", html))
        assert {name for name in named if not (folder / name).exists()} == missing
        captions = re.findall(r"<caption>(.*?)</caption>", html, re.DOTALL)
        unnamed = [text for text in captions if "<code>" not in text]
        assert all(re.search("part of|fine-tuning|guidelines", text) for text in unnamed)  # of what stands just above
    assert missing == {"subgroups.csv", "calibration.csv", "operating_points.csv", "flow.json"}


def test_the_shares_are_those_of_the_csv(pages: dict[str, Any]) -> None:
    folder, html, data = pages["plain"]
    found = [row for row in rows(folder, "matches") if row["encoder"] != BASE]
    words = {"0.2": "20% 8% to 60%", "inf": "not reached 70% to not reached", "0.05": "at most 5% ≤ 5% to 11%"}
    lone = {HERE: "0.87", THERE: "–"}
    wanted = [
        [
            OTHER, row["scenario"].replace("_", " "), WHERE[row["scenario"]], words[row["fraction"]], "",
            f"{float(row['line']):.3f} {float(row['line_low']):.3f}–{float(row['line_high']):.3f}",
            lone[row["dataset"]],
        ]
        for row in found
    ]  # fmt: skip
    assert table_rows(html, "matches") == wanted
    assert [each["fraction"] for each in data["answers"]] == [0.2, "inf", 0.05]
    whiskers = re.findall(r'<svg class="whisker own".*?</svg>', html, re.DOTALL)[:3]
    x = [re.findall(r'class="range[^"]*" x1="([\d.]+)%" x2="([\d.]+)%"', text)[0] for text in whiskers]
    # log(8/5) / log(20), log(60/5) / log(20); log(70/5) / log(20), 1; 0, log(11/5) / log(20)
    assert [tuple(map(float, pair)) for pair in x] == [(15.69, 82.95), (88.09, 100.0), (0.0, 26.32)]


def test_the_differences_are_those_of_the_csv(pages: dict[str, Any]) -> None:
    folder, html, _ = pages["plain"]
    found = rows(folder, "differences")
    whole = [row for row in found if row["fraction"] == "1.0"]
    assert [row[3] for row in table_rows(html, "differences")] == [
        "+0.050 +0.010 to +0.090", "−0.060 −0.100 to −0.020", "+0.130 +0.090 to +0.170",
    ]  # fmt: skip
    assert [float(row["difference"]) for row in whole] == [0.05, -0.06, 0.13]
    assert [row[5:] for row in table_rows(html, "differences")] == [
        ["yes", "0.024", "0.012"], ["no", "0.200", "0.200"], ["yes", "0.001", "< 0.001"],
    ]  # fmt: skip
    every = table_rows(html, "all-differences")
    assert [row[3] for row in every] == ["5%", "25%", "100%"] * 3
    assert [float(row[4].split()[0].replace("−", "-")) for row in every] == [float(row["difference"]) for row in found]
    assert [row[6] for row in every] == [{"True": "yes", "False": "no"}[row["non_inferior"]] for row in found]


def test_the_figures_with_all_labels_leave_subgroups_and_shares_out(pages: dict[str, Any]) -> None:
    folder, html, _ = pages["plain"]
    wanted = {
        (row["encoder"], row["scenario"].replace("_", " ")): float(row["value"])
        for row in rows(folder, "results")
        if "1.0" in (row["label_fraction"], row["target_fraction"]) and row["metric"] == "auroc" and not row["subgroup"]
    }
    found = {(row[0], row[1]): float(row[3].split()[0]) for row in table_rows(html, "whole")}
    assert found == wanted
    assert len(found) == 6
    assert table_rows(html, "whole")[0][-3:] == ["240", "180", "80"]


def test_groups_points_calibration_and_shift_are_those_of_their_csv(pages: dict[str, Any]) -> None:
    folder, html, _ = pages["plain"]
    groups = table_rows(html, "groups")
    assert groups[0][:-1] == ["sex: female", "100", "80", "33", BASE, "0.810", "0.710–0.900"]
    assert groups[1][:-1] == ["sex: female", "", "", "", OTHER, "0.810", "0.710–0.900"]
    assert len(groups) == 3 * (2 * 2 + 1)  # three places, two groups of two encoders each, and one too small
    assert ["age: 80 and over", "4", "80", "33", "4 patients, fewer than 20"] in groups
    assert table_rows(html, "gaps")[0] == ["sex: female less male", BASE, "+0.040", "−0.020 to +0.100"]
    points = table_rows(html, "points")
    assert len(points) == len(rows(folder, "operating_points")) / 4 == 6
    cells = ["0.750 0.650–0.850", "0.850 0.750–0.950", "0.714 0.614–0.814", "0.872 0.772–0.972"]
    assert points[1] == [BASE, "north → south", "youden", "0.432", "validation", *cells, "60", "24", "20", "136"]
    raw, scaled = table_rows(html, "calibration")[:2]
    figures = ["0.150 0.130–0.170", "0.070 0.050–0.090", "−0.300 −0.320 to −0.280", "0.900 0.880–0.920", "240"]
    assert raw == [BASE, "north", "as they are", *figures]
    assert scaled == [BASE, "north", "scaled, T = 1.25", *figures]
    first, second = table_rows(html, "shift")[:2]
    assert first == [BASE, "north → south", "AUROC", "0.900", "0.720", "−0.180 −0.260 to −0.100", ""]
    assert second[2] == "sensitivity youden, threshold 0.432"


def test_who_was_left_out_is_drawn(pages: dict[str, Any]) -> None:
    html = pages["plain"][1]
    texts = [text for _, text in Strict(html).texts]
    for text in ("7 left out: label is empty", "3 left out: class 2 is excluded", "images in north", "400 patients"):
        assert text in texts
    assert "Validation drawn by patient, stratified by label. No patient stands in more than one part." in html
    table = table_rows(html, "baseline")
    assert table[:5] == [
        ["images", "600", "150", "240"], ["patients", "400", "110", "180"],
        ["pneumonia: no", "550 (92%)", "100 (67%)", "190 (79%)"], ["pneumonia: yes", "50 (8%)", "50 (33%)", "50 (21%)"],
        ["female", "300 (50%)", "75 (50%)", "120 (50%)"],
    ]  # fmt: skip
    assert ["age, median (quartiles)", *["48 (33–58.5)"] * 3] in table


def test_a_repeated_study_says_which_repetition_its_models_are_of(pages: dict[str, Any]) -> None:
    for words in ("learnt from all labels, in the first repetition.", "Parts are those of the first repetition."):
        assert words in pages["repeated"][1]
        assert words not in pages["plain"][1]
    shares = [row[3] for row in table_rows(pages["repeated"][1], "matches")]
    assert shares == ["20%", "not reached", "at most 5% ≤ 5%"]
    assert [row[5] for row in table_rows(pages["repeated"][1], "differences")] == ["3 of 3", "0 of 3", "3 of 3"]
    assert [row[6:] for row in table_rows(pages["repeated"][1], "differences")] == [
        ["0.024", "0.012"], ["0.200", "0.200"], ["0.001", "< 0.001"],
    ]  # fmt: skip


def test_leaking_patients_are_the_first_caution(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study")
    flow = json.loads((folder / "flow.json").read_text())
    flow[HERE]["leaking_patients"] = 2
    (folder / "flow.json").write_text(json.dumps(flow))
    html, data = reported(folder, tmp_path / "page.html")
    assert data["cautions"][0].startswith("north: 2 patients stand in more than one part")
    assert "2 patients stand in more than one part." in html


def test_the_json_is_strict_and_described(pages: dict[str, Any], tmp_path: Path) -> None:
    def refuse(text: str) -> None:
        raise ValueError(text)

    folder = study_folder(tmp_path / "study")
    reported(folder, tmp_path / "page.html")
    data = json.loads((tmp_path / "page.json").read_text(), parse_constant=refuse)
    assert data["tables"]["curves"][0]["auroc"] == 0.7
    assert "results" not in data["tables"]
    text = REFERENCE.read_text(encoding="utf-8")
    table = text[text.index("| of a study |") :].split("\n\n")[0]
    keys = {name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])}
    for kind in KINDS:
        assert set(pages[kind][2]) == keys


def test_no_path_and_no_file_leaves_by_the_page_unless_asked_for(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study")
    home = "/home/Mueller/Ludwig"
    for path in folder.iterdir():  # as if all had been typed with whole paths
        text = path.read_text().replace(HERE, f"{home}/{HERE}").replace(OTHER, f"{home}/{OTHER}")
        path.write_text(text)
    audit = json.loads((folder / "audit.json").read_text())
    audit[THERE][0]["message"] = f"2 pictures are in {home}/archive.parquet, which an encoder has learnt"
    (folder / "audit.json").write_text(json.dumps(audit))
    html, data = reported(folder, tmp_path / "p.html")
    whole = html + json.dumps(data, ensure_ascii=False)
    for secret in ("Mueller", "Ludwig", "PAT0007", "00012345", str(tmp_path)):
        assert secret not in whole
    assert "2 pictures are in archive.parquet, which an encoder has learnt" in html
    assert "--manifest north.parquet --ood south.parquet --encoders base,last --out study" in html
    html, _ = reported(folder, tmp_path / "p.html", names=True)
    assert f"{home}/{HERE}" in html
    assert SECRET not in html  # rows that a finding names are shown nowhere


HOSTILE = ("<script>alert(1)</script>", '"><img src=x>', "{{ 7*7 }}", "$\\frac", "a\x01b", "]]>&amp;")


def test_no_word_of_the_folder_becomes_markup(tmp_path: Path) -> None:
    def page(words: tuple[str, ...], name: str) -> Strict:
        label, encoder, base, group, rule, version = words
        folder = study_folder(
            tmp_path / name, labels=(label,), encoders=(base, encoder), facts={"versions": {version: version}}
        )
        for file, old, new in (("subgroups", "80 and over", group), ("operating_points", "youden", rule)):
            path = folder / f"{file}.csv"
            path.write_text(path.read_text().replace(old, f'"{new.replace(chr(34), chr(34) * 2)}"'))
        return Strict(reported(folder, tmp_path / f"{name}.html")[0])

    found = page(HOSTILE, "hostile")
    assert found.problems == []
    assert [tag for tag, _ in found.elements] == [
        tag for tag, _ in page(tuple(f"x{number}" for number in range(6)), "harmless").elements
    ]


def test_simulated_images_are_called_so(tmp_path: Path, pages: dict[str, Any]) -> None:
    html, data = reported(study_folder(tmp_path / "study", facts={"simulated": True}), tmp_path / "page.html")
    assert html.count("Simulated data") == 2
    assert "The images are simulated; the figures say nothing about patients." in data["cautions"]
    assert "imulated data" not in pages["plain"][1]


def test_the_command_line_makes_it_again_and_refuses_what_is_not_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = study_folder(tmp_path / "study"), tmp_path / "page.html"
    assert run(["report", str(folder), "--out", str(out)]) == 0
    assert "With 20% of the labels" in capsys.readouterr().out
    first = out.read_bytes()
    assert run(["report", str(folder), "--out", str(out)]) == 0
    assert out.read_bytes() == first
    capsys.readouterr()
    assert run(["report", str(folder), "--out", str(folder / "study.html")]) == 2  # its JSON would be study.json
    assert "study.json" in capsys.readouterr().err
    (folder / "curves.csv").unlink()
    assert run(["report", str(folder), "--out", str(out)]) == 2
    assert "the study is not finished" in capsys.readouterr().err
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("file", "text", "word"),
    [
        ("study.json", '{"verb": "study", "job": {}}', "'data_sets' was expected"),
        ("curves.csv", "scenario,dataset\nin_distribution,a\n", "'train_dataset'"),
        ("curves.csv", None, "a number was expected"),
    ],
    ids=["facts", "column", "number"],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, text: str | None, word: str
) -> None:
    folder = study_folder(tmp_path / "study")
    path = folder / file
    path.write_text(path.read_text().replace("0.7,", "many,") if text is None else text)
    assert run(["report", str(folder), "--out", str(tmp_path / "page.html")]) == 2
    error = capsys.readouterr().err
    assert word in error
    assert file in error


def test_the_study_itself_gets_the_same_page(pages: dict[str, Any]) -> None:
    folder, html, data = pages["plain"]
    own = of_study.page_of(folder)
    assert own.data["answers"] == data["answers"]
    assert (of_study.PAGE, of_study.VALUES) == ("study.html", "study_page.json")
    assert f"<code>{of_study.VALUES}</code>" in own.html
    assert "remedis report" not in own.html
    assert html.count("remedis report study --out page.html") == 1
    assert not (folder / of_study.PAGE).exists()
