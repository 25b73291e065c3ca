"""Mixup: pairs of neighbours, mixed as the images are, and nothing learnt of a label that either lacks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from references.finetune_loss import mixed_binary
from remedis.train.labels import Asked, Learnt, loss
from remedis.train.mixup import mixed, share_of

LABELS = (Learnt("sick", ("no", "yes")),)


def _batch(n: int) -> tuple[torch.Tensor, Asked]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(n, 3, 2, 2, generator=generator, dtype=torch.float64)
    return images, Asked(torch.tensor([[float(row % 3 == 0)] for row in range(n)]), torch.ones(n, 1))


@pytest.mark.parametrize("n", [1, 2, 6, 7])
def test_neighbours_are_pairs_and_an_odd_one_stays(n: int) -> None:
    images, asked = _batch(n)
    found, wanted = mixed(images, asked, 0.3)
    for row in range(n):
        other = row + 1 if row % 2 == 0 else row - 1
        other = row if other == n else other
        assert torch.allclose(found[row], 0.3 * images[row] + 0.7 * images[other], rtol=1e-12)
        assert float(wanted.wanted[row]) == pytest.approx(
            0.3 * float(asked.wanted[row]) + 0.7 * float(asked.wanted[other]), abs=1e-6
        )
    assert wanted.weights.tolist() == [[1.0]] * n


def test_the_loss_is_that_of_both_labels_mixed() -> None:
    images, asked = _batch(6)
    _, wanted = mixed(images, asked, 0.3)
    logits = torch.linspace(-2, 2, 6, dtype=torch.float64)[:, None]
    found = float(loss(logits, wanted, LABELS, wanted.weights.sum(0)))
    truth = asked.wanted[:, 0].tolist()
    expected = [mixed_binary(float(logits[row]), truth[row], truth[row ^ 1], 0.3) for row in range(6)]
    assert found == pytest.approx(float(np.mean(expected)), rel=1e-6)


def test_a_label_that_either_lacks_is_unknown() -> None:
    images, asked = _batch(6)
    gaps = Asked(asked.wanted, torch.tensor([[1.0], [0.0], [1.0], [1.0], [0.0], [0.0]]))
    _, wanted = mixed(images, gaps, 0.3)
    assert wanted.weights[:, 0].tolist() == pytest.approx([0, 0, 1, 1, 0, 0])


def test_halves_of_a_batch_are_mixed_as_the_whole() -> None:
    images, asked = _batch(8)
    whole, wanted = mixed(images, asked, 0.8)
    halves = [mixed(images[part], asked.part(part), 0.8) for part in (slice(0, 4), slice(4, 8))]
    assert torch.equal(torch.cat([x for x, _ in halves]), whole)
    assert torch.equal(torch.cat([y.wanted for _, y in halves]), wanted.wanted)


def test_a_share_of_one_changes_nothing() -> None:
    images, asked = _batch(4)
    found, wanted = mixed(images, asked, 1.0)
    assert torch.equal(found, images)
    assert torch.equal(wanted.wanted, asked.wanted)


@pytest.mark.parametrize("alpha", [0.1, 1.0], ids=str)
def test_the_share_is_beta_distributed_and_depends_on_seed_and_step_alone(alpha: float) -> None:
    shares = [share_of(alpha, 3, step) for step in range(2000)]
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 1e-3
    assert share_of(alpha, 3, 7) == shares[7] != share_of(alpha, 4, 7)
