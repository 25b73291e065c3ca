"""The order of a run: every epoch has every image once, and a step needs nothing but its number."""

from __future__ import annotations

import numpy as np
import pytest

from remedis.train.order import Order


def _epochs(order: Order, steps: int) -> tuple[np.ndarray, np.ndarray]:
    samples = [order.at(step) for step in range(steps)]
    return np.concatenate([s.units for s in samples]), np.concatenate([s.epochs for s in samples])


def test_each_epoch_has_every_image_once_across_the_borders_of_batches() -> None:
    units, epochs = _epochs(Order(10, 4, seed=3), steps=10)  # 40 pairs, 4 epochs
    for epoch in range(4):
        assert sorted(units[epochs == epoch]) == list(range(10))
    assert not np.array_equal(units[:10], units[10:20])


def test_a_batch_may_be_larger_than_the_data_set() -> None:
    """F24: the official program has no step at all for fewer images than half a batch."""
    samples = Order(3, 8, seed=0).at(0)
    assert len(samples.units) == 8
    assert sorted(samples.epochs) == [0, 0, 0, 1, 1, 1, 2, 2]


def test_a_step_needs_nothing_but_its_number() -> None:
    went_through = Order(17, 5, seed=1)
    for step in range(9):
        passed = went_through.at(step)
    fresh = Order(17, 5, seed=1).at(8)
    assert np.array_equal(passed.units, fresh.units)
    assert not np.array_equal(fresh.units, Order(17, 5, seed=2).at(8).units)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_shares_join_to_the_whole_batch(world: int) -> None:
    whole = Order(50, 8, seed=0).at(2)
    shares = [whole.share(rank, world) for rank in range(world)]
    for name in ("first", "second", "epochs", "units"):
        assert np.array_equal(np.concatenate([getattr(s, name) for s in shares]), getattr(whole, name))


PATIENTS = np.array([0, 1, 1, 2, 2, 2, 3, 0, 4, 4, 4, 4])


def test_micle_pairs_two_different_images_of_one_patient() -> None:
    order = Order(5, 5, seed=0, patients=PATIENTS)
    for step in range(20):
        samples = order.at(step)
        assert np.array_equal(PATIENTS[samples.first], samples.units)
        assert np.array_equal(PATIENTS[samples.second], samples.units)
        several = samples.units != 3
        assert (samples.first[several] != samples.second[several]).all()
        assert (samples.first[~several] == samples.second[~several]).all()  # patient 3 has one image: two views of it


def test_micle_draws_patients_not_images_and_every_pair_of_a_patient() -> None:
    order = Order(5, 5, seed=0, patients=PATIENTS)
    drawn = [order.at(step) for step in range(600)]
    units = np.concatenate([s.units for s in drawn])
    assert (np.bincount(units) == 600).all()  # though patient 4 has four images and patient 3 one
    of_two = [(int(s.first[i]), int(s.second[i])) for s in drawn for i in np.flatnonzero(s.units == 2)]
    counts = {pair: of_two.count(pair) for pair in set(of_two)}
    assert set(counts) == {(a, b) for a in (3, 4, 5) for b in (3, 4, 5) if a != b}
    assert max(counts.values()) < 140  # 100 expected of each, four standard deviations
    assert min(counts.values()) > 60
