"""A map of the embeddings in two dimensions, for looking at, not for measuring."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from remedis.evaluate.knn import standard
from remedis.evaluate.metrics import Floats, Integers

MOST_POINTS = 1000
_COMPONENTS, _PERPLEXITY, _FEWEST = 50, 30.0, 12


def sample(tested: Integers, others: Integers, *, seed: int, most: int = MOST_POINTS) -> tuple[Integers, Integers]:
    """Return at most `most` rows in order, at least half of them tested ones where there are so many."""
    random = np.random.default_rng(seed)
    room = max(most // 2, most - len(others))
    tested = _drawn(tested, room, random)
    return tested, _drawn(others, most - len(tested), random)


def _drawn(rows: Integers, most: int, random: np.random.Generator) -> Integers:
    return rows if len(rows) <= most else np.sort(random.choice(rows, most, replace=False))


def project(features: NDArray[np.float32], *, seed: int) -> tuple[Floats, str]:
    """Return (n, 2) places in the unit square, and how they were found, in words.

    Standardised embeddings are reduced to 50 principal components, then laid out by t-SNE (van der Maaten and
    Hinton, JMLR 9:2579, 2008) from the first two of them. Fewer than 12 rows keep the principal components.
    """
    mean, scale = standard(features)
    rows = ((features - mean) / scale).astype(np.float32)
    if not np.ptp(rows, axis=0).any():
        return np.full((len(rows), 2), 0.5), "putting all on one spot, since the embeddings are alike"
    components = PCA(min(_COMPONENTS, *rows.shape), random_state=seed).fit_transform(rows)
    if len(rows) < _FEWEST or components.shape[1] < 2:
        places = np.c_[components, np.zeros(len(rows))][:, :2]
        return _in_unit_square(places), "the first two principal components"
    perplexity = min(_PERPLEXITY, (len(rows) - 1) / 3)
    with threadpool_limits(1):  # its loops are short: threads would wait for each other, long where a core is taken
        places = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(components)
    return _in_unit_square(places), (
        f"t-SNE (perplexity {perplexity:.0f}, seed {seed}) of {components.shape[1]} principal components"
    )


def _in_unit_square(places: NDArray[np.floating]) -> Floats:
    places = places.astype(np.float64)
    low, spread = places.min(axis=0), np.ptp(places, axis=0).max()
    centred = (places - low) / spread
    return np.asarray(centred + (1 - np.ptp(centred, axis=0)) / 2)
