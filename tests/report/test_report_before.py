"""What another encoder gave on the same images: the paired difference, what is refused, and what the page shows."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

import report_folders
from html_check import Strict
from references.bootstrap import repeated_rows
from remedis import cli
from remedis.report.before import paired, signed
from remedis.report.before_figure import before_figure
from remedis.report.page import render
from remedis.report.thumbnails import EMPTY
from report_folders import DRAWS, reported

METRICS = {"auroc": roc_auc_score, "average_precision": average_precision_score}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `after/probe` and, of a weaker encoder, `before/probe` on the same images."""
    folder = tmp_path_factory.mktemp("very-private")
    for name, distance in (("before", 0.4), ("after", 1.6)):
        (folder / name).mkdir()
        report_folders.binary(folder / name, distance=distance)
    return folder


@pytest.fixture(scope="module")
def shown(two: Path) -> tuple[str, dict[str, Any]]:
    """The page with both, and its JSON."""
    return reported(two / "after" / "probe", two / "page.html", before=two / "before" / "probe")


def drawn_with_numpy(units: np.ndarray, draws: int, seed: int) -> list[np.ndarray]:
    """Row numbers of each draw of whole units: `units` of them with replacement."""
    count = int(units.max()) + 1
    picked = np.random.default_rng(seed).integers(0, count, size=(draws, count))
    return [repeated_rows(units, np.bincount(row, minlength=count)) for row in picked]


@pytest.mark.parametrize("metric", METRICS)
def test_the_difference_is_that_of_each_draw_of_whole_patients(metric: str) -> None:
    random = np.random.default_rng(0)
    units = np.repeat(np.arange(30), 2)
    truth = np.repeat(random.integers(0, 2, 30), 2).astype(bool)
    before = random.random(60)
    after = np.round(np.clip(0.5 * before + 0.3 * truth + 0.2 * random.random(60), 0, 1), 1)  # with ties
    found = paired(truth, before, after, units, draws=80, seed=3)[metric]
    measure = METRICS[metric]
    values = {"before": measure(truth, before), "after": measure(truth, after)}
    rows = drawn_with_numpy(units, 80, 3)
    draws = {
        name: np.array([measure(truth[r], s[r]) for r in rows]) for name, s in (("before", before), ("after", after))
    }
    values["difference"] = values["after"] - values["before"]
    draws["difference"] = draws["after"] - draws["before"]
    for name, value in values.items():
        low, high = np.percentile(draws[name], [2.5, 97.5])
        expected = {"value": value, "low": low, "high": high, "undefined": 0}
        assert found[name] == pytest.approx(expected, abs=1e-12)
    width = found["difference"]["high"] - found["difference"]["low"]
    assert width < sum(found[name]["high"] - found[name]["low"] for name in ("before", "after"))


def test_of_several_classes_it_is_that_of_the_means() -> None:
    random = np.random.default_rng(1)
    codes, units = random.integers(0, 3, 45), np.arange(45) // 3
    truth = codes[:, None] == np.arange(4)  # the fourth class is not there
    before, after = random.dirichlet(np.ones(4), 45), random.dirichlet(np.ones(4), 45)
    found = paired(truth, before, after, units, draws=20, seed=0)["auroc"]
    expected = [np.mean([roc_auc_score(truth[:, k], s[:, k]) for k in range(3)]) for s in (before, after)]
    assert [found["before"]["value"], found["after"]["value"]] == pytest.approx(expected, abs=1e-12)
    assert found["difference"]["value"] == pytest.approx(expected[1] - expected[0], abs=1e-12)


def test_draws_of_one_class_are_left_out_and_counted() -> None:
    truth, units = np.array([True, False, False]), np.arange(3)
    scores = np.array([0.9, 0.2, 0.4])
    found = paired(truth, scores[::-1].copy(), scores, units, draws=50, seed=0)
    lacking = sum(set(rows) in ({0}, {1}, {2}, {1, 2}) for rows in map(tuple, drawn_with_numpy(units, 50, 0)))
    assert 0 < lacking < 50
    assert {row["undefined"] for metric in found.values() for row in metric.values()} == {lacking}


def test_the_page_s_figures_are_those_of_both_probes(two: Path, shown: tuple[str, dict[str, Any]]) -> None:
    (label,) = shown[1]["before"]["labels"]
    for name in ("before", "after"):
        with (two / name / "probe" / "results.csv").open() as file:
            head, *rows = (line.strip().split(",") for line in file)
        for row in (dict(zip(head, cells, strict=True)) for cells in rows):
            if row["method"] == "logistic" and row["metric"] in METRICS:
                expected = [float(row[key]) for key in ("value", "low", "high")]
                assert [label[row["metric"]][name][key] for key in ("value", "low", "high")] == pytest.approx(expected)
    assert (shown[1]["before"]["draws"], label["fitted"]) == (DRAWS, {"before": 82, "after": 82})


def test_the_sentence_stands_under_the_answer(shown: tuple[str, dict[str, Any]]) -> None:
    html, data = shown
    (label,) = data["before"]["labels"]
    number = r"[+−]?\d\.\d{3}"
    assert re.fullmatch(
        rf"AUROC before {number} \({number}–{number}\), after {number} \({number}–{number}\) on the same 52 images "
        rf"of 26 patients; difference \+{number} \({number} to {number}\), paired over patients\.",
        label["sentence"],
    )
    texts = [text for _, text in Strict(html).texts]
    heads = [texts.index(part) for part in ("Caution:", label["sentence"], "How well does it tell them apart?")]
    assert heads == sorted(heads)


def test_the_page_is_sound_and_the_chart_has_four_dots(shown: tuple[str, dict[str, Any]]) -> None:
    html, data = shown
    found = Strict(html)
    assert found.problems == []
    ids = found.values("id")
    assert len(set(ids)) == len(ids)
    referred = [value[1:] for value in found.values("href") if value.startswith("#")]
    referred += [name for value in found.values("aria-labelledby") for name in value.split()]
    assert {*referred, *re.findall(r"url\(#([^)]+)\)", html), "before-0"} <= set(ids)
    (text,) = re.findall(r'<svg class="figure"[^>]*before0-title.*?</svg>', html, flags=re.DOTALL)
    root = ElementTree.fromstring(text)
    assert "52 images of 26 patients" in (root.findtext("desc") or "")
    words = ["".join(part.itertext()) for part in root.iter("text")]
    assert [words.count(word) for word in ("before", "after", "AUROC", "average precision")] == [2, 2, 1, 1]
    assert set(re.findall(r"#[0-9a-fA-F]{6}", text)) == set()  # colours are the page's own
    assert "Before: simulated (frozen). After: simulated (frozen)." in html
    assert len(data["made"]["commands"]) == 5
    assert "--before probe" in data["made"]["commands"][-1]


def test_dots_stand_where_their_figures_are() -> None:
    entry: dict[str, Any] = {"chance": {"auroc": 0.5, "average_precision": 0.3}}
    value = iter((0.55, 0.65, 0.75, 0.95))
    for metric in METRICS:
        entry[metric] = {
            side: {"value": at, "low": at - 0.04, "high": at + 0.04}
            for side, at in zip(("before", "after"), value, strict=False)
        }
    text = before_figure(entry, name="b", description="d")
    places = [(float(x), float(y)) for x, y in re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"', text)]
    assert len(places) == 4
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', text)[1])
    drawn = [(x / width - 0.17) / 0.8 * (1.005 - 0.5) + 0.5 for x, _ in places]
    assert drawn == pytest.approx([0.55, 0.65, 0.75, 0.95], abs=1e-3)
    assert [y for _, y in places] == sorted(y for _, y in places)


def test_the_same_scores_in_another_order_differ_by_nothing(two: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(two / "after", copy)
    path = copy / "probe" / "predictions.parquet"
    table = pq.read_table(path)
    pq.write_table(table.take(np.random.default_rng(0).permutation(table.num_rows)), path)
    _, data = reported(two / "after" / "probe", tmp_path / "page.html", before=copy / "probe")
    (label,) = data["before"]["labels"]
    for metric in METRICS:
        assert label[metric]["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0, "undefined": 0}
        assert label[metric]["before"] == label[metric]["after"]
    assert "difference 0.000 (0.000 to 0.000), paired" in label["sentence"]


def test_labels_have_a_sentence_each_and_unlike_training_rows_are_said(tmp_path: Path) -> None:
    probe = report_folders.several(tmp_path)
    other = report_folders.probed(tmp_path / "emb", tmp_path / "other", label=("edema", "mass"), where=("batch!=3",))
    settings = json.loads((other / "config.json").read_text())
    settings["labels"][1]["counts"]["train"]["images"] = 17
    (other / "config.json").write_text(json.dumps(settings))
    html, data = reported(probe, tmp_path / "page.html", before=other)
    edema, mass = (label["sentence"] for label in data["before"]["labels"])
    assert edema.startswith("edema: AUROC before ")
    assert edema.endswith("paired over patients.")
    assert re.search(r" Fitted on 17 images before and \d+ after: not the encoder alone has changed\.$", mass)
    assert {"before-0", "before-1"} <= set(Strict(html).values("id"))
    assert Strict(html).problems == []


def refused(two: Path, before: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command, expect status 2, one line and nothing written; return the line."""
    out = two / "refused.html"
    assert cli.run(["report", str(two / "after" / "probe"), "--before", str(before), "--out", str(out)]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("probe of")]
    assert len(lines) == 1
    assert not out.exists()
    return lines[0]


def changed(two: Path, tmp_path: Path, name: str = "predictions.parquet", **change: Any) -> Path:
    """A copy of the first probe whose table or settings another function changes."""
    copy = tmp_path / "changed"
    shutil.copytree(two / "before", copy)
    path = copy / "probe" / name
    if name == "config.json":
        path.write_text(path.read_text().replace(change["old"], change["new"]))
    else:
        pq.write_table(change["edit"](pq.read_table(path)), path)
    return copy / "probe"


def test_what_cannot_be_compared_is_refused(two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "a folder that remedis probe wrote was expected" in refused(two, two / "before" / "emb", capsys)
    assert "a folder that remedis probe wrote was expected" in refused(two, two / "nowhere", capsys)
    same = two / "after" / ".." / "after" / "probe"
    assert "is the probe that the page is of" in refused(two, same, capsys)
    elsewhere = report_folders.clustered(tmp_path)
    assert "label 'pneumonia' was expected, the probe is of cell_type" in refused(two, elsewhere, capsys)


def test_other_rows_are_refused_with_how_many_are_common(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = changed(two, tmp_path / "fewer", edit=lambda table: table.slice(2))
    assert "50 images were tested for 'pneumonia', 50 of them among the 52" in refused(two, fewer, capsys)
    renamed = changed(
        two, tmp_path / "renamed",
        edit=lambda table: table.set_column(
            0, "image", pc.replace_substring_regex(table["image"], "^000", "100")
        ) if table.column_names[0] == "image" else table,
    )  # fmt: skip
    line = refused(two, renamed, capsys)
    common = int(re.search(r"52 images were tested for 'pneumonia', (\d+) of them among the 52", line)[1])
    names = report_folders.predictions(two / "after" / "probe", "pneumonia")["image"]
    assert common == sum(not name.startswith("000") for name in names) < 52
    framed = changed(two, tmp_path / "framed", edit=lambda table: table.append_column("frame", [[1] * table.num_rows]))
    assert "52 images were tested for 'pneumonia', 0 of them" in refused(two, framed, capsys)


def test_other_classes_are_refused(two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def swapped(table: Any) -> Any:
        place = table.column_names.index("pneumonia")
        column = table["pneumonia"].to_pylist()
        return table.set_column(place, "pneumonia", [[1 - column[0], *column[1:]]])

    line = refused(two, changed(two, tmp_path / "one", edit=swapped), capsys)
    assert "1 of the 52 tested images have another class of 'pneumonia' there" in line
    settings = json.loads((two / "before" / "probe" / "config.json").read_text())
    old = json.dumps(settings["labels"][0]["classes"])
    assert old == '["0", "1"]'
    copy = changed(two, tmp_path / "two", "config.json", old="", new="")
    settings["labels"][0]["classes"] = ["1", "0"]
    (copy / "config.json").write_text(json.dumps(settings))
    assert "the classes of 'pneumonia' are 1, 0, 0, 1 were expected" in refused(two, copy, capsys)


def test_a_pretraining_has_no_probe_before_it(two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    words = [
        "report",
        str(tmp_path / "run"),
        "--before",
        str(two / "before" / "probe"),
        "--out",
        str(tmp_path / "p.html"),
    ]
    assert cli.run(words) == 2
    assert "--before compares probes, and this folder is of a pretraining" in capsys.readouterr().err
    assert not (tmp_path / "p.html").exists()


def test_the_command_says_it_for_people_and_for_programs(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], shown: tuple[str, dict[str, Any]]
) -> None:
    words = ["report", str(two / "after" / "probe"), "--before", str(two / "before" / "probe"), "--no-images"]
    assert cli.run([*words, "--out", str(tmp_path / "p.html")]) == 0
    (label,) = shown[1]["before"]["labels"]
    assert label["sentence"] in capsys.readouterr().out
    assert cli.run([*words, "--out", str(tmp_path / "p.html"), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["before"] == [label]


def test_nothing_that_tells_who_was_imaged_is_added(
    two: Path, shown: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    whole = shown[0] + json.dumps(shown[1], ensure_ascii=False)
    for secret in ("very-private", "PAT0", ".png", str(two)):
        assert secret not in whole
    _, named = reported(
        two / "after" / "probe", tmp_path / "page.html", before=two / "before" / "probe", names=True, images=False
    )
    assert f"--before {two / 'before' / 'probe'}" in named["made"]["commands"][-1]


def test_no_name_becomes_markup(shown: tuple[str, dict[str, Any]]) -> None:
    data = json.loads(json.dumps(shown[1]))
    hostile = '</p><script>alert(1)</script>"'
    data["before"] |= {"encoder": hostile, "encoder_after": hostile}
    data["before"]["labels"][0]["sentence"] = hostile
    found, harmless = (Strict(render(each, EMPTY, images=False, json_name="p.json")) for each in (data, shown[1]))
    assert found.problems == []
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in harmless.elements]


def test_without_another_probe_nothing_is_shown(two: Path, tmp_path: Path) -> None:
    html, data = reported(two / "after" / "probe", tmp_path / "page.html", images=False)
    assert data["before"] is None
    assert "Before and after" not in html


@pytest.mark.parametrize(
    ("value", "words"), [(0.0344, "+0.034"), (-0.01, "−0.010"), (0.0004, "0.000"), (-0.0004, "0.000"), (None, "–")]
)
def test_a_difference_has_its_sign(value: float | None, words: str) -> None:
    assert signed(value) == words
