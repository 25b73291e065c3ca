"""`remedis study` killed at any instant, started twice at once, and on two processes: the same results."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from embed_runs import command, environment
from study_runs import TUNING, Given, killed_until_done, pictures, two_sites, words_of

import planted_studies as planting
from remedis.commands import study
from remedis.options.study import Study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    return two_sites(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def whole(given: Given) -> Path:
    """That study, done in one go."""
    study.run(given.options(given.folder / "whole"))
    return given.folder / "whole"


def test_probes_and_fine_tuning_of_pictures_stand_in_one_table(tmp_path: Path) -> None:
    here, there = pictures(tmp_path, "here", 60), pictures(tmp_path, "there", 60)
    study.run(
        Study(out=tmp_path / "out", manifest=(here,), ood=(there,), **{**TUNING, "methods": ("probe", "finetune")})
    )
    rows = planting.table_of(tmp_path / "out" / "results.csv")
    names = ("scenario", "label_fraction", "target_fraction", "seed", "n")
    keys = [
        {tuple(row[name] for name in names) for row in planting.chosen(rows, method=method)}
        for method in ("logistic", "finetune")
    ]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 6
    assert not (tmp_path / "out" / "runs").exists()
    probes = planting.chosen(rows, method="logistic", metric="auroc", label_fraction="1.0")
    assert min(float(row["value"]) for row in probes) > 0.9  # brightness is easy


def test_killed_at_random_instants_it_ends_with_the_same_results(given: Given, whole: Path, tmp_path: Path) -> None:
    words = given.words(tmp_path / "out")
    start = time.monotonic()
    subprocess.run(command(*given.words(tmp_path / "timed")), env=environment(), check=True, capture_output=True)
    assert killed_until_done(words, seed=1, seconds=time.monotonic() - start, kills=3) > 0
    for name in ("results.csv", "curves.csv", "matches.csv", "differences.csv", "subgroups.csv"):
        if (whole / name).exists():
            assert (tmp_path / "out" / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_killed_while_it_fine_tunes_it_ends_with_the_same_results(tmp_path: Path) -> None:
    here, there = pictures(tmp_path, "here", 60), pictures(tmp_path, "there", 60)
    words: list[object] = ["study", "--manifest", here, "--ood", there, *words_of(TUNING), "--train-steps", 6, "--out"]
    start = time.monotonic()
    subprocess.run(command(*words, tmp_path / "whole"), env=environment(), check=True, capture_output=True)
    assert killed_until_done([*words, tmp_path / "killed"], seed=3, seconds=time.monotonic() - start, kills=3) > 0
    assert (tmp_path / "killed" / "results.csv").read_bytes() == (tmp_path / "whole" / "results.csv").read_bytes()
    assert not (tmp_path / "killed" / "runs").exists()


def test_two_starts_at_once_share_the_cells_and_end_with_the_same_results(
    given: Given, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    both = [
        subprocess.Popen(command(*given.words(out)), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate()[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert (out / "results.csv").read_bytes() == (whole / "results.csv").read_bytes()
    assert (out / "curves.csv").read_bytes() == (whole / "curves.csv").read_bytes()


def test_two_processes_of_torchrun_end_with_the_same_results(given: Given, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "remedis"]
    done = subprocess.run(
        [*words, *map(str, given.words(out))], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in ("results.csv", "curves.csv", "matches.csv", "differences.csv"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    assert json.loads((out / "study.json").read_text())["verb"] == "study"
