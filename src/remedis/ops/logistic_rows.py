"""The rows of a grid's problems and their products with each other, formed once for all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_MOST = 2**14
"""Rows whose products are held as one matrix: 2 GiB of float64."""


def fits_rows(rows: Tensor, width: int) -> bool:
    """Return whether a problem has no more rows than features, and is solved by its rows' products."""
    return len(rows) <= width


class Products:
    """The features in float64, and their Gram matrix where one for all is less work than one a problem.

    Args:
        features: (N, D).
        problems: Each problem's rows.
    """

    def __init__(self, features: Tensor, problems: Sequence[Tensor]) -> None:
        self.features = features.double()
        self._gram: Tensor | None = None
        few = [rows for rows in problems if fits_rows(rows, features.shape[1])]
        used = torch.unique(torch.cat(few)) if few else torch.empty(0, dtype=torch.int64)
        if 0 < len(used) <= _MOST and len(used) ** 2 <= sum(len(rows) ** 2 for rows in few):
            self._places = torch.zeros(len(features), dtype=torch.int64, device=features.device)
            self._places[used] = torch.arange(len(used), device=features.device)
            self._gram = self.features[used] @ self.features[used].T

    def gram(self, rows: Tensor) -> Tensor:
        """Return (n, n) the products of the rows less their mean: a shift of all rows is the intercept's affair."""
        if self._gram is None:
            centred, _ = self.centred(rows)
            return centred @ centred.T
        places = self._places[rows]
        found = self._gram[places[:, None], places]
        means = found.mean(dim=0)
        return found - means - means[:, None] + means.mean()

    def centred(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return (n, D) the rows less their mean, and (D,) the mean."""
        found = self.features[rows]
        mean = found.mean(dim=0)
        return found - mean, mean
