"""One thing that an audit found, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]

_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: missing, path, header, unreadable, duplicate, near-duplicate, leak, patient, split, label, balance,
            shortcut or contamination.
        severity: An error makes results wrong or images unreadable; a warning should be known.
        message: One line, without the kind.
        count: How many files, rows or patients it is about.
        examples: Some of them.
    """

    kind: str
    severity: Severity
    message: str
    count: int = 1
    examples: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The finding as one line that begins with its kind and a colon."""
        more = f": {', '.join(self.examples[:2])}{' …' if self.count > 2 else ''}" if self.examples else ""
        return f"{self.kind}: {self.message}{more} ({self.severity})"


def finding_of(kind: str, severity: Severity, message: str, named: Sequence[str]) -> Finding:
    """Return a finding about all of `named`, the first of which are its examples."""
    return Finding(kind, severity, message, len(named), tuple(named[:_EXAMPLES]))
