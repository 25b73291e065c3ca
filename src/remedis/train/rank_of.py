"""How many directions a batch of embeddings uses: a sign of collapse before anything else shows it."""

from __future__ import annotations

import torch
from torch import Tensor

_ROWS = 256  # of a batch; a singular value decomposition of more costs as much as a step


def effective_rank(embeddings: Tensor) -> Tensor:
    """Return exp of the entropy of the normalised singular values of (n, D), at most 256 rows of it.

    Source: Roy and Vetterli, EUSIPCO 2007; RankMe, arXiv:2210.02885, equation 3. 1 where all embeddings are parallel,
    at most the smaller of n and D.
    """
    values = torch.linalg.svdvals(embeddings[:_ROWS].detach().to(torch.float32))
    p = values / values.sum().clamp(min=1e-12)
    return torch.exp(torch.special.entr(p).sum())
