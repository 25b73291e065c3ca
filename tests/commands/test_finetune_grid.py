"""`remedis finetune` with a grid: every cell is reported, validation chooses, one that diverges stops no other."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from finetune_runs import SMALL, bright_images, finetune

from remedis.commands.finetune_grid import cells_of, choose, name_of, record
from remedis.train.finetune_job import verdicts


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bright_images(tmp_path_factory.mktemp("bright") / "images")


@pytest.fixture(scope="module")
def run(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two labels."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert finetune(manifest, "--label", "bright,kind", "--out", out, *SMALL, "--seed", 1) == 0
    return out


def test_a_grid_reports_every_cell_and_chooses_on_validation(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = [manifest, "--label", "bright", "--out", out, *SMALL, "--eval-steps", "1", "--train-steps", "2"]
    assert finetune(*words, "--learning-rate", "1e-5,0.05", "--weight-decay", "0.01") == 0
    with (out / "grid.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["lr-1e-05-wd-0.01", "lr-0.05-wd-0.01"]
    assert [row["cell"] for row in rows] == names
    keys = {}
    for row in rows:
        lines = verdicts(out / "grid" / row["cell"])
        assert [line["step"] for line in lines] == [1, 2]
        best = max(lines, key=lambda line: (line["validation_auroc"], -line["validation_loss"]))
        found = (int(row["step"]), float(row["validation_auroc"]), float(row["validation_loss"]), int(row["n"]))
        assert found == (best["step"], best["validation_auroc"], best["validation_loss"], 5)
        keys[row["cell"]] = (best["validation_auroc"], -best["validation_loss"])
    chosen = [row["cell"] for row in rows if row["chosen"] == "1"]
    assert chosen == [max(names, key=lambda name: keys[name])]
    assert json.loads((out / "grid.json").read_text()) == {"chosen": chosen[0], "cells": names}
    assert f"chosen on validation: {chosen[0]}" in capsys.readouterr().out
    jobs = [json.loads((out / "grid" / name / "run.json").read_text())["job"] for name in names]
    assert [(job["learning_rate"], job["weight_decay"]) for job in jobs] == [(1e-5, 0.01), (0.05, 0.01)]


def test_a_grid_is_every_rate_with_every_decay_once() -> None:
    cells = cells_of([0.1, 0.01, 0.1], [0.0, 1e-4])
    assert [name_of(cell) for cell in cells] == ["lr-0.1-wd-0", "lr-0.1-wd-0.0001", "lr-0.01-wd-0", "lr-0.01-wd-0.0001"]
    assert cells_of([], []) == [{}]
    assert cells_of([], [0.5]) == [{"weight_decay": 0.5}]


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        ([(0.7, 1.0), (0.9, 1.0)], [(0.8, 0.1)], "first"),
        ([(0.7, 1.0)], [(0.7, 0.9)], "second"),
        ([(0.7, 1.0)], [(0.7, 1.0)], "first"),
        ([(None, 1.0)], [(None, 0.5), (None, 2.0)], "second"),
        ([], [(0.2, 9.0)], "second"),
    ],
    ids=["auroc", "loss", "tie", "loss alone", "no validation"],
)
def test_the_best_auroc_then_the_smallest_loss_then_the_first_is_chosen(
    tmp_path: Path, first: list[tuple[float | None, float]], second: list[tuple[float | None, float]], chosen: str
) -> None:
    for name, lines in (("first", first), ("second", second)):
        (tmp_path / "grid" / name).mkdir(parents=True)
        (tmp_path / "grid" / name / "metrics.jsonl").write_text("".join(
            json.dumps({"step": step, "validation_auroc": auroc, "validation_loss": loss, "n": 3}) + "\n"
            for step, (auroc, loss) in enumerate(lines)
        ))  # fmt: skip
    assert choose(tmp_path, ["first", "second"]) == chosen
    record(tmp_path, ["first", "second"], chosen)
    rows = list(csv.DictReader((tmp_path / "grid.csv").read_text().splitlines()))
    assert [row["chosen"] for row in rows] == [str(int(name == chosen)) for name in ("first", "second")]


def test_a_grid_takes_no_folder_of_something_else(
    manifest: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [manifest, "--label", "bright", *SMALL, "--learning-rate", "0.1,0.2"]
    before = sorted(path.name for path in run.iterdir())
    assert finetune(*words, "--out", run) == 2
    assert "exists and holds no grid; choose another --out" in capsys.readouterr().err
    assert sorted(path.name for path in run.iterdir()) == before


def rows_of(out: Path) -> dict[str, dict[str, str]]:
    with (out / "grid.csv").open(newline="") as file:
        return {row["cell"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("rates", ["1e-3,1e30", "1e30,1e-3"], ids=["last", "first"])
def test_a_cell_that_diverges_is_recorded_and_the_others_go_on(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rates: str
) -> None:
    words = [
        manifest,
        "--label",
        "bright",
        "--out",
        tmp_path / "out",
        *SMALL,
        "--eval-steps",
        "1",
        "--train-steps",
        "3",
    ]
    words += ["--learning-rate-scaling", "none", "--learning-rate", rates]
    for _ in range(2):  # the same command again does not end otherwise
        assert finetune(*words) == 0
        spoken = capsys.readouterr()
        assert "chosen on validation: lr-0.001 " in spoken.out
        assert "diverged, and could not be chosen: lr-1e+30" in spoken.out
        assert "finite" in spoken.err
        found = rows_of(tmp_path / "out")
        assert {name: (row["chosen"], row["diverged"]) for name, row in found.items()} == {
            "lr-0.001": ("1", "0"), "lr-1e+30": ("0", "1"),
        }  # fmt: skip


def test_where_every_cell_diverges_nothing_is_chosen(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [manifest, "--label", "bright", "--out", tmp_path / "out", *SMALL, "--train-steps", "3"]
    assert finetune(*words, "--learning-rate-scaling", "none", "--learning-rate", "1e30,1e31") == 1
    assert "finite" in capsys.readouterr().err
    assert not (tmp_path / "out" / "grid.json").exists()


def test_another_grid_is_refused_and_named_and_a_killed_one_goes_on(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [manifest, "--label", "bright", "--out", tmp_path / "out", *SMALL, "--train-steps", "1"]
    assert finetune(*words, "--learning-rate", "1e-3,1e-2", "--weight-decay", "0,0.1") == 0
    before = (tmp_path / "out" / "grid.csv").read_bytes()
    for other in (("1e-3,1e-2",), ("1e-3,1e-2,1e-1", "--weight-decay", "0,0.1")):
        capsys.readouterr()
        assert finetune(*words, "--learning-rate", *other) == 2
        error = capsys.readouterr().err
        assert "holds another grid, they differ in lr-" in error
        assert (tmp_path / "out" / "grid.csv").read_bytes() == before
    for name in ("grid.csv", "grid.json"):  # as a kill before the last cell leaves it
        (tmp_path / "out" / name).unlink()
    shutil.rmtree(tmp_path / "out" / "grid" / "lr-0.01-wd-0.1")
    assert finetune(*words, "--learning-rate", "1e-3,1e-2", "--weight-decay", "0,0.1") == 0
    assert (tmp_path / "out" / "grid.csv").read_bytes() == before
