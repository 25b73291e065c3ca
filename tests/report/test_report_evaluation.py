"""An evaluation's page: sound HTML that loads nothing, every figure as its CSV has it, no names, damaged files said."""

from __future__ import annotations

import csv
import itertools
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from html_check import Strict, table_rows
from remedis import cli
from report_folders import reported
from synthetic_predictions import predictions

SECRET = "Mustermann-Erika"
CASES = ("one", "two sites", "all")
DRAWS = ("--draws", "30")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Evaluations of one label, of one label at two sites against another model, and of all labels at two sites."""
    made = tmp_path_factory.mktemp(SECRET)
    pq.write_table(predictions(), made / "here.parquet")
    pq.write_table(predictions(noise=3.0), made / "other.parquet")
    elsewhere = predictions(site="there", seed=3).drop_columns(["seen", "split"])
    pq.write_table(elsewhere.append_column("seen", pa.array(["no"] * elsewhere.num_rows)), made / "there.parquet")
    ood, compare = ("--ood", str(made / "there.parquet")), ("--compare", str(made / "other.parquet"))
    options = {"one": ("--label", "effusion"), "two sites": ("--label", "effusion", *ood, *compare), "all": ood}
    for case, words in options.items():
        assert cli.run(["evaluate", str(made / "here.parquet"), "--out", str(made / case), *DRAWS, *words]) == 0
    return {case: made / case for case in CASES}


def page(folder: Path) -> str:
    return (folder / "evaluation.html").read_text(encoding="utf-8")


def values(folder: Path) -> Any:
    return json.loads((folder / "evaluation_page.json").read_text(encoding="utf-8"))


def rows(folder: Path, name: str, **wanted: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if all(row[key] == value for key, value in wanted.items())]


@pytest.mark.parametrize("case", CASES)
def test_it_is_sound_and_loads_nothing(folders: dict[str, Path], case: str) -> None:
    html = page(folders[case])
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
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(later <= before + 1 for before, later in itertools.pairwise(levels))
    drawn = [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]
    assert all((root.findtext("title") or "").strip() or root.get("aria-hidden") == "true" for root in drawn)


@pytest.mark.parametrize("case", CASES)
def test_no_folder_that_may_be_a_persons_name_is_on_it(folders: dict[str, Path], case: str) -> None:
    assert SECRET not in page(folders[case])
    assert SECRET not in json.dumps(values(folders[case]))


@pytest.mark.parametrize("case", CASES)
def test_every_file_that_it_names_is_there(folders: dict[str, Path], case: str) -> None:
    named = set(re.findall(r"<code>([a-z_]+\.(?:csv|json))</code>", page(folders[case])))
    missing = set(re.findall(r"not available, there is no <code>([a-z_.]+)</code>", page(folders[case])))
    assert len(named) > 6
    assert {name for name in named if not (folders[case] / name).exists()} == missing == set()


def test_the_answer_is_that_of_the_tables(folders: dict[str, Path]) -> None:
    folder = folders["two sites"]
    here, there = rows(folder, "results", metric="auroc")
    (moved,) = rows(folder, "shift", metric="auroc")
    (against,) = rows(folder, "comparison", metric="auroc")

    def two(*numbers: str, sign: int = 1) -> list[str]:
        return [f"{sign * float(number):.2f}".replace("-", "−") for number in numbers]

    sentence = values(folder)["labels"][0]["sentence"]
    value, low, high = two(here["value"], here["low"], here["high"])
    assert sentence.startswith(f"effusion: AUROC {value} ({low}–{high}) on {here['n']} images of ")
    assert f"of {here['n_patients']} patients; " in sentence
    assert "; {} ({}–{}) on there, ".format(*two(there["value"], there["low"], there["high"])) in sentence
    sign = 1 if float(moved["difference"]) > 0 else -1
    ends = (moved["low"], moved["high"])[::sign]
    words = "higher" if sign > 0 else "lower"
    assert "on there, {} {} ({} to {})".format(*two(moved["difference"], sign=sign), words, *two(*ends, sign=sign)) in (
        sentence
    )
    assert f"against other ({two(against['other'])[0]})" in sentence
    assert sentence in page(folder).replace("\u2060", "")


def test_the_points_and_their_four_counts_are_those_of_the_csv(folders: dict[str, Path]) -> None:
    folder = folders["two sites"]
    table = table_rows(page(folder), "points")
    wanted = rows(folder, "operating_points", metric="sensitivity")
    assert [row[-4:] for row in table] == [[row[name] for name in ("tp", "fp", "fn", "tn")] for row in wanted]
    assert [row[0] for row in table] == [Path(row["dataset"]).stem for row in wanted]
    assert [row[4].split()[0] for row in table] == [f"{float(row['value']):.3f}" for row in wanted]


def test_the_curves_are_drawn_through_every_row_of_the_csv(folders: dict[str, Path]) -> None:
    """Read the paths of the SVG back: the axes hold 0 to 1, so that the ends give the scale."""
    folder = folders["one"]
    svg = re.search(r'<svg[^>]*aria-labelledby="roc-l0-title.*?</svg>', page(folder), re.DOTALL)
    assert svg
    paths = [np.array(re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", text), float) for text in
             re.findall(r'<path d="([^"]+)"', svg[0])]  # fmt: skip
    wanted = rows(folder, "roc")
    x = np.array([float(row["false_positive_rate"]) for row in wanted])
    y = np.array([float(row["sensitivity"]) for row in wanted])
    curve = max((path for path in paths if len(path)), key=lambda path: len(np.unique(path.round(1), axis=0)))
    lowest, highest = paths_of_diagonal(paths)
    drawn = (curve - lowest) / (highest - lowest)
    for a, b in zip(x, y, strict=True):  # matplotlib leaves out points on straight stretches
        assert distance(drawn, a, b) < 0.01


def paths_of_diagonal(paths: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return where (0, 0) and (1, 1) lie: the ends of the only slanted line of two points."""
    (line,) = [path for path in paths if len(path) == 2 and (path[0] != path[1]).all()]
    return line[0], line[1]


def distance(curve: np.ndarray, x: float, y: float) -> float:
    """Return how far a point is from a line through points."""
    start, step = curve[:-1], np.diff(curve, axis=0)
    length = (step**2).sum(axis=1)
    along = np.clip(((np.array([x, y]) - start) * step).sum(axis=1) / np.where(length == 0, 1, length), 0, 1)
    return float(np.sqrt(((start + along[:, None] * step - [x, y]) ** 2).sum(axis=1)).min())


def test_several_labels_have_their_mean_and_a_line_for_each_site(folders: dict[str, Path]) -> None:
    folder = folders["all"]
    html = page(folder)
    means = [f"{float(row['value']):.2f}" for row in rows(folder, "results", label="macro", metric="auroc")]
    heading = re.search(r"<h1.*?</h1>", html, re.DOTALL)
    assert heading
    assert re.findall(r"<b>([\d.]+)</b>", heading[0]) == means
    assert html.count("<b>ROC.</b>") == 3
    assert html.count("<b>Decision curve.</b>") == 6


def test_report_makes_the_same_page(folders: dict[str, Path], tmp_path: Path) -> None:
    html, data = reported(folders["two sites"], tmp_path / "page.html")
    own = values(folders["two sites"])
    assert {**data, "made": 0} == {**own, "made": 0}
    assert [*own["made"]["commands"], "remedis report 'two sites' --out page.html"] == data["made"]["commands"]
    assert "--names" not in html
    assert cli.run(["report", str(folders["one"]), "--out", str(tmp_path / "page.html")]) == 0  # its own are replaced


def test_the_command_on_the_page_makes_the_same_evaluation(folders: dict[str, Path], tmp_path: Path) -> None:
    words = shlex.split(values(folders["one"])["made"]["commands"][0])[1:]
    words[1] = str(folders["one"].parent / words[1])
    words[words.index("--out") + 1] = str(tmp_path / "again")
    assert cli.run(words) == 0
    assert (tmp_path / "again" / "results.csv").read_bytes() == (folders["one"] / "results.csv").read_bytes()


def test_simulated_rows_are_called_simulated(tmp_path: Path) -> None:
    table = predictions()
    pq.write_table(table.append_column("simulated", pa.array([1] * table.num_rows)), tmp_path / "p.parquet")
    words = ["evaluate", str(tmp_path / "p.parquet"), "--out", str(tmp_path / "e"), "--label", "effusion", *DRAWS]
    assert cli.run(words) == 0
    assert "Simulated data" in page(tmp_path / "e")
    assert any("simulated" in line for line in values(tmp_path / "e")["cautions"])


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("evaluation.json", "{}", "no config.json"),
        ("roc.csv", "dataset,label\na,b\n", "there is no column 'class'"),
        ("results.csv", "dataset,label,class,metric,value,low,high\na,b,,auroc,x,0,1\n", "a number was expected"),
    ],
)
def test_damage_is_one_line(
    folders: dict[str, Path], tmp_path: Path, name: str, damage: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folders["one"], tmp_path / "e")
    (tmp_path / "e" / name).write_text(damage)
    assert cli.run(["report", str(tmp_path / "e"), "--out", str(tmp_path / "p.html")]) != 0
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "p.html").exists()


def test_before_is_refused(folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["report", str(folders["one"]), "--out", str(tmp_path / "p.html"), "--before", str(folders["all"])]
    assert cli.run(words) == 2
    assert "this folder is of an evaluation" in capsys.readouterr().err


def test_what_is_drawn_is_what_the_tables_say(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Net benefit as it is and scaled, acting on everybody, counts by true class, and the frozen points."""
    folder, drawn = folders["two sites"], {}
    for name in ("roc_figure", "calibration_figure"):
        monkeypatch.setattr(f"remedis.report.figures.{name}", lambda *given, _n=name, **named: (
            drawn.setdefault(_n, []).append((given, named)), "")[1])  # fmt: skip
    monkeypatch.setattr("remedis.report.evaluation_charts.decision_figure", lambda *given, **named: (
        drawn.setdefault("decision", []).append((given, named)), "")[1])  # fmt: skip
    reported(folder, folder.parent / "drawn.html")
    points = rows(folder, "operating_points")
    shares = [
        (Path(row["dataset"]).stem, row["rule"], row["metric"], float(row["value"])) for row in points
        if row["metric"] in ("sensitivity", "specificity")
    ]  # fmt: skip
    wanted = {(1 - two, one) for (_, _, a, one), (_, _, b, two) in itertools.pairwise(shares) if (a, b) == (
        "sensitivity", "specificity")}  # fmt: skip
    ((_, named),) = drawn["roc_figure"]
    assert {(x, y) for x, y, _ in named["marks"]} == wanted
    files = [str(folder.parent / f"{name}.parquet") for name in ("here", "there")]
    for file, ((lines, treat_all), _), ((shown, piles), _) in zip(
        files, drawn["decision"], drawn["calibration_figure"], strict=True
    ):
        table = {kind: rows(folder, "decision_curve", dataset=file, scores=kind) for kind in ("raw", "scaled")}
        for line, kind in zip(lines, ("raw", "scaled"), strict=True):
            np.testing.assert_array_equal(line.values, [float(row["net_benefit"]) for row in table[kind]])
            assert line.dashed == (line.low is None) == (kind == "scaled")
        np.testing.assert_array_equal(treat_all, [float(row["treat_all"]) for row in table["raw"]])
        part = pq.read_table(file)
        part = part if "split" not in part.column_names else part.filter(pc.equal(part["split"], "test"))
        for ill, pile in zip((0, 1), piles, strict=True):
            scores = part.filter(pc.equal(part["effusion"], ill))["score_effusion"].to_numpy()
            np.testing.assert_array_equal(pile.counts, np.histogram(scores, np.linspace(0, 1, 16))[0])
        bins = rows(folder, "reliability", dataset=file, scores="raw")
        np.testing.assert_array_equal(shown[-1].bins.share, [float(row["share"]) for row in bins])


def test_a_shift_stands_at_the_other_site_and_groups_here(folders: dict[str, Path]) -> None:
    html = page(folders["two sites"])
    assert {row[0] for row in table_rows(html, "shift")} == {"there"}
    assert re.search(r'<table class="groups"><caption><span><b>here</b>', html)
