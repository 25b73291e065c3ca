"""The learning rate against curves drawn as a whole, and the numbers of steps against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from references.schedule import rates
from remedis.train.schedule import Schedule, steps_in, total_steps, warmup_steps


@pytest.mark.parametrize(("warmup", "total"), [(0, 1), (0, 7), (1, 2), (3, 10), (9, 10), (100, 1000)])
def test_every_step_has_the_rate_of_the_curve(warmup: int, total: int) -> None:
    schedule = Schedule(0.3, 512, warmup, total)
    found = [schedule.at(step) for step in range(total)]
    np.testing.assert_allclose(found, rates(0.6, warmup, total), rtol=1e-12, atol=1e-15)


def test_the_first_update_of_a_warm_up_has_rate_0_and_without_one_it_has_the_peak() -> None:
    assert Schedule(0.3, 1024, 10, 100).at(0) == 0.0
    assert Schedule(0.3, 1024, 0, 100).at(0) == pytest.approx(1.2, rel=1e-15)
    assert Schedule(0.3, 1024, 10, 100).at(10) == pytest.approx(1.2, rel=1e-15)


def test_the_rate_is_0_at_the_end_and_stays_there() -> None:
    schedule = Schedule(0.3, 256, 5, 20)
    assert [schedule.at(step) for step in (20, 21, 1000)] == pytest.approx([0.0] * 3, abs=1e-16)
    assert schedule.at(19) > 0
    assert Schedule(0.3, 256, 1, 2).at(2) == pytest.approx(0.0, abs=1e-16)


def test_a_run_that_ends_within_its_warm_up_only_rises() -> None:
    schedule = Schedule(1.0, 256, 8, 4)
    assert [schedule.at(step) for step in range(4)] == [0.0, 0.125, 0.25, 0.375]
    assert schedule.at(8) == 1.0


def test_linear_scaling_is_per_256_images_and_sqrt_per_root() -> None:
    linear, root = Schedule(0.3, 4096, 0, 1), Schedule(0.075, 4096, 0, 1, "sqrt")
    assert linear.peak == pytest.approx(4.8, rel=1e-15)
    assert root.peak == pytest.approx(4.8, rel=1e-15)  # SimCLR's two recipes of the batch that they were made for
    assert Schedule(0.3, 256, 0, 1).peak == 0.3
    assert Schedule(0.1, 100, 0, 1, "sqrt").peak == pytest.approx(1.0, rel=1e-15)


def test_whole_batches_are_counted_and_one_more_step() -> None:
    # CIFAR-10, batch 512, 100 epochs: 5,000,000 / 512 = 9765.6; ten epochs of warm-up: 976.6
    assert total_steps(50_000, 512, 100) == 9766
    assert warmup_steps(50_000, 512, 10) == 976
    assert total_steps(512, 512, 3) == 4
    assert warmup_steps(512, 512, 0) == 0
    assert total_steps(100, 64, 0.5) == 1
    assert warmup_steps(100, 10, 0.5) == 5


def test_a_number_of_steps_overrides_epochs() -> None:
    assert total_steps(50_000, 512, 100, train_steps=25) == 25


def test_f24_what_happens_every_epoch_happens_at_least_after_one_step() -> None:
    assert steps_in(1, images=100, batch=512) == 1
    assert steps_in(1, images=255, batch=512) == 1
    assert steps_in(0.01, images=512, batch=512) == 1
    assert steps_in(1, images=50_000, batch=512) == 98
    assert steps_in(2, images=50_000, batch=512) == 196
    assert steps_in(0.5, images=50_000, batch=512) == 49
    assert steps_in(0.999, images=50_000, batch=512) == 98
    assert steps_in(10, images=100, batch=512) == 10
