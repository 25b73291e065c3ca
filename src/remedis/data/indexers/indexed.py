"""What an indexer hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Indexed:
    """The rows of a manifest before it is written.

    Attributes:
        table: The rows, with `facts` in their metadata.
        facts: `root`, `data_set`, `left_out`, as `remedis.data.manifest` describes them.
        notes: Lines that a person should not overlook.
        said: Lines that tell what was understood.
    """

    table: pa.Table
    facts: dict[str, Any]
    notes: tuple[str, ...] = ()
    said: tuple[str, ...] = field(default=())

    @property
    def left_out(self) -> Mapping[str, int]:
        """Reason and number of files that are no rows."""
        found: dict[str, int] = self.facts.get("left_out", {})
        return found
