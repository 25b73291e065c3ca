"""Rows as a network sees them when it is asked, not taught: whole squares, without any chance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from remedis.data.loader import Batch, Loader, View
from remedis.data.manifest import Manifest
from remedis.models.scaling import to_range

_BATCH = 64
MOST_KEPT = 2**29  # bytes of decoded squares that are kept in memory from one look to the next

Rows = npt.NDArray[np.int64]


class Squares:
    """The images of some rows, decoded once where they fit into memory, else at every look.

    Args:
        manifest: All rows.
        rows: (n,) numbers of those that are looked at.
        view: What the network takes.
        workers: Processes that read.
        keep: Whether they are looked at again.
    """

    def __init__(self, manifest: Manifest, rows: Rows, view: View, *, workers: int, keep: bool) -> None:
        self.rows, self._view = np.sort(rows), view
        self._manifest = manifest.select(self.rows)
        self._workers = workers
        self._keep = keep and len(rows) * view.size**2 * 3 <= MOST_KEPT
        self._kept: list[Batch] | None = None
        self.rejected: dict[int, str] = {}

    def __len__(self) -> int:
        """Return n."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        """Yield them in order of their rows; what cannot be read is named in `rejected`, by its row in the manifest."""
        if self._kept is not None:
            yield from self._kept
            return
        kept = []
        batches = [range(start, min(start + _BATCH, len(self))) for start in range(0, len(self), _BATCH)]
        for batch in Loader(self._manifest, batches, self._view, workers=min(self._workers, len(batches))):
            unread = [row for row, read in zip(batch.rows, batch.read, strict=True) if not read]
            self.rejected |= {int(self.rows[row]): why for row, why in zip(unread, batch.reasons, strict=True)}
            kept += [batch] if self._keep else []
            yield batch
        self._kept = kept if self._keep else None

    def read_rows(self, batch: Batch) -> Rows:
        """Return the manifest's rows of a batch's images."""
        found: Rows = self.rows[np.asarray(batch.rows)[np.asarray(batch.read, bool)]]
        return found


@torch.no_grad()
def logits_of(
    squares: Squares, network: nn.Module, value_range: tuple[float, float], *, bfloat16: bool
) -> Iterator[tuple[Rows, Tensor]]:
    """Yield (n,) rows and (n, W) float32 logits of one batch after the other; the network is in evaluation mode.

    Args:
        squares: The images.
        network: Images in the contract's range to logits.
        value_range: The contract's.
        bfloat16: Whether it multiplies in bfloat16.
    """
    device = next(network.parameters()).device
    for batch in squares:
        if not len(batch.images):
            continue
        x = to_range(batch.images.to(device), value_range)
        with torch.autocast(device.type, torch.bfloat16) if bfloat16 else nullcontext():
            logits = network(x)
        yield squares.read_rows(batch), logits.float().cpu()
