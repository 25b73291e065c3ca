"""A run's answer: intervals and chance against closed forms, and what the sentence says of runs of every kind."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from remedis.report.run_answer import answer, chances, looked, wilson
from remedis.report.run_folder import open_run
from remedis.train.ntxent import ntxent
from report_runs import LINES, LOOKS, PLANNED, line, look, run_folder

UNFINISHED = {"complete": None, "steps": None, "rejected": None}


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (1, 1), (0, 1), (246, 985), (492, 985), (7, 12)])
def test_the_interval_is_wilsons(right: int, n: int) -> None:
    low, high = wilson(right, n)
    other = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert (low, high) == (pytest.approx(other.low, abs=1e-12), pytest.approx(other.high, abs=1e-12))
    z = stats.norm.ppf(0.975)
    for end in (low, high):  # the ends are the shares that the observed one is just z standard errors away from
        if 0 < end < 1:
            assert abs(right / n - end) == pytest.approx(z * math.sqrt(end * (1 - end) / n), rel=1e-9)
    assert 0 <= low <= right / n <= high <= 1


@pytest.mark.parametrize(("batch", "scale"), [(2, 1.0), (512, 2.0), (64, 1.0)])
def test_chance_is_what_a_network_reaches_that_calls_all_views_alike(batch: int, scale: float) -> None:
    chance = chances({"train_batch_size": batch, "loss_scale": scale})
    same = torch.ones(batch, 8, dtype=torch.float64)
    found = ntxent(same, same.clone(), temperature=0.1, loss_scale=scale)
    assert chance["loss"] == pytest.approx(float(found.loss), rel=1e-9)
    assert chance["contrast_entropy"] == pytest.approx(float(found.entropy), rel=1e-9)
    draws = np.random.default_rng(0).random((20000, min(2 * batch - 1, 127)))  # unrelated similarities
    if batch <= 64:
        assert chance["contrast_accuracy"] == pytest.approx(float((draws.argmax(1) == 0).mean()), abs=0.015)


def said(folder: Path) -> dict[str, object]:
    run = open_run(folder)
    return answer(run, [looked(each) for each in run.looks])


def test_with_a_label_the_accuracy_is_the_answer(tmp_path: Path) -> None:
    found = said(run_folder(tmp_path))
    low, high = stats.binomtest(140, 200).proportion_ci(0.95, method="wilson")
    assert found["sentence"] == (
        f"kNN accuracy 0.70 ({low:.2f}–{high:.2f}) on 200 images at step 313, from 0.40 at step 80; trained to its end"
    )
    first = found["first"]
    assert isinstance(first, dict)
    assert (first["step"], first["value"]) == (80, 0.4)
    assert (first["low"], first["high"]) == pytest.approx(
        tuple(stats.binomtest(80, 200).proportion_ci(0.95, method="wilson"))
    )
    assert found["compared"] == (
        "313 steps (20 epochs) on 1,000 images, 64 images a step; contrastive loss 8.99 → 5.00, chance is 4.84."
    )


def test_one_look_is_said_to_be_the_only_one(tmp_path: Path) -> None:
    found = said(run_folder(tmp_path, [line(4), look(4, 0.5)]))
    assert "at step 4, the only look so far; trained" in str(found["sentence"])


def test_without_a_label_the_loss_is_the_answer(tmp_path: Path) -> None:
    found = said(run_folder(tmp_path, LINES, given={"recipe": "path"}))
    assert found["sentence"] == (
        f"Contrastive loss 5.00 at step 313, from 8.99 at step 1; chance is {2 * math.log(127):.2f}; trained to its end"
    )
    assert "chance is" not in str(found["compared"])


def test_a_run_that_is_not_finished_says_how_far_it_came(tmp_path: Path) -> None:
    found = said(run_folder(tmp_path / "a", [*LINES[:8], LOOKS[0]], facts=UNFINISHED))
    assert str(found["sentence"]).endswith(f"; not finished: 85 of {PLANNED} steps are done")
    by_steps = said(run_folder(tmp_path / "b", LINES[:2], facts=UNFINISHED, given={"train_steps": 5000}))
    assert str(by_steps["state"]) == "not finished: 13 of 5,000 steps are done"
    patients = said(run_folder(tmp_path / "c", LINES[:2], facts=UNFINISHED, given={"multi_instance": True}))
    assert patients["state"] == "not finished: 13 steps are done"
    assert "64 patients a step" in str(patients["compared"])
    assert "epochs" not in str(patients["compared"])


def test_before_the_first_line_there_is_no_figure(tmp_path: Path) -> None:
    found = said(run_folder(tmp_path, [], facts=UNFINISHED))
    assert found["sentence"] == "no step is written yet"
    assert found["measure"] is None


@pytest.mark.parametrize(("batch", "images", "epochs"), [(64, 1000, 20), (512, 50000, 1000), (3, 10, 1)])
def test_the_planned_steps_are_those_of_the_run(tmp_path: Path, batch: int, images: int, epochs: int) -> None:
    folder = run_folder(
        tmp_path, [line(1)], facts=UNFINISHED, given={"train_batch_size": batch, "train_epochs": epochs}
    )
    whole = json.loads((folder / "run.json").read_text())
    whole["job"]["images"] = images
    (folder / "run.json").write_text(json.dumps(whole))
    assert open_run(folder).planned == math.floor(images * epochs / batch) + 1
    assert open_run(folder).steps_an_epoch == images / batch


def test_of_patients_the_epochs_are_known_at_the_end(tmp_path: Path) -> None:
    run = open_run(run_folder(tmp_path, given={"multi_instance": True}))
    assert run.planned == PLANNED
    assert run.steps_an_epoch == PLANNED / 20
