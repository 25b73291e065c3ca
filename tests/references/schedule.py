"""The learning rate of every step: arXiv:2002.05709, appendix B.6, and arXiv:1608.03983, equation 5."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def rates(peak: float, warmup: int, total: int) -> npt.NDArray[np.float64]:
    """Return the learning rates of all steps: `warmup` steps evenly from 0, then half a cosine."""
    rising = np.linspace(0.0, peak, warmup, endpoint=False)
    falling = peak / 2 * (1 + np.cos(np.linspace(0.0, np.pi, total - warmup, endpoint=False)))
    return np.concatenate([rising, falling])
