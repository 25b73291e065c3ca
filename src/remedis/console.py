"""What a command may say while it works, and what it hands back. The standard library only.

A command gets a `Console` and returns a `Result`; only `remedis.cli` knows of terminals. Calls from Python pass
`QUIET` (the default of every command), tests pass a recording one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol


class Track(Protocol):
    """One progress line."""

    def advance(self, count: int = 1) -> None:
        """Count `count` more units as done."""

    def note(self, text: str) -> None:
        """Show `text` at the end of the line (a rate, a loss, the share of time spent waiting)."""


class Console(Protocol):
    """Where a command speaks to a person: stderr, never stdout."""

    def say(self, line: str) -> None:
        """Print one line: what was understood, what was made, what to do next."""

    def warn(self, line: str) -> None:
        """Print one line that a person should not overlook."""

    def track(self, total: int, unit: str, description: str, *, done: int = 0) -> AbstractContextManager[Track]:
        """Open a progress line of `total` units (`unit` in the plural, "images"), `done` of them done earlier."""


@dataclass(frozen=True)
class Result:
    """What a command made.

    Attributes:
        text: What a person reads on stdout (may be empty).
        data: What `--json` prints instead: strings, numbers, lists and dicts.
        exit_status: 0 done, 1 done in part or a check said no.
    """

    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    exit_status: int = 0


class _QuietTrack:
    def advance(self, count: int = 1) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def __enter__(self) -> Track:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class _Quiet:
    def say(self, line: str) -> None:
        pass

    def warn(self, line: str) -> None:
        pass

    def track(self, total: int, unit: str, description: str, *, done: int = 0) -> _QuietTrack:
        return _QuietTrack()


QUIET: Console = _Quiet()
