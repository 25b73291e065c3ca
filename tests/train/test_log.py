"""What a run tells: means over intervals, TensorBoard, and nothing from other processes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from remedis.errors import StoppedError
from remedis.train.log import Log, read_metrics


def _log(folder: Path | None, *, total: int, summary: int = 0, start: int = 0) -> Log:
    return Log(folder, start=start, total=total, images=4, summary_steps=summary)


def test_a_long_run_has_one_line_for_the_mean_of_an_interval(tmp_path: Path) -> None:
    log = _log(tmp_path, total=3000)
    for step in range(1, 8):
        log.add(step, {"loss": torch.tensor(float(step))}, waited=0.0)
    log.settle(7, waited=0.0)
    assert [(line["step"], line["loss"]) for line in read_metrics(tmp_path)] == [(3, 2.0), (6, 5.0), (7, 7.0)]


def test_values_that_are_not_looked_at_every_step_have_their_own_mean(tmp_path: Path) -> None:
    log = _log(tmp_path, total=2000)
    log.add(1, {"loss": torch.tensor(1.0), "rank": torch.tensor(8.0)}, waited=0.0)
    log.add(2, {"loss": torch.tensor(3.0)}, waited=0.0)
    [line] = read_metrics(tmp_path)
    assert (line["loss"], line["rank"]) == (2.0, 8.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_other_processes_write_nothing_but_look_at_their_loss(value: float) -> None:
    log = _log(None, total=10)
    log.add(1, {"loss": torch.tensor(1.0)}, waited=0.0)
    with pytest.raises(StoppedError, match="at step 2"):
        log.add(2, {"loss": torch.tensor(value)}, waited=0.0)


def test_tensorboard_gets_a_point_each_interval(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = _log(tmp_path, total=10, summary=2)
    for step in range(1, 7):
        log.add(step, {"loss": torch.tensor(float(step))}, waited=0.0)
    log.event(6, {"knn_accuracy": 0.5, "label": "finding"})
    log.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(point.step, point.value) for point in events.Scalars("loss")] == [(2, 2.0), (4, 4.0), (6, 6.0)]
    assert [point.value for point in events.Scalars("knn_accuracy")] == [0.5]
