"""The effective rank of embeddings in closed forms."""

from __future__ import annotations

import pytest
import torch

from remedis.train.rank_of import effective_rank


def test_parallel_embeddings_have_rank_one() -> None:
    embeddings = torch.linspace(1, 2, 8)[:, None] * torch.randn(1, 5, generator=torch.Generator().manual_seed(0))
    assert float(effective_rank(embeddings)) == pytest.approx(1, abs=1e-3)


def test_orthogonal_embeddings_of_one_length_have_full_rank() -> None:
    assert float(effective_rank(3 * torch.eye(7))) == pytest.approx(7, rel=1e-5)


def test_two_directions_in_the_ratio_three_to_one() -> None:
    embeddings = torch.diag(torch.tensor([3.0, 1.0]))
    expected = torch.exp(-(0.75 * torch.tensor(0.75).log() + 0.25 * torch.tensor(0.25).log()))
    assert float(effective_rank(embeddings)) == pytest.approx(float(expected), rel=1e-5)
