"""What a person sees on stderr: lines, warnings, and progress that ends as one line. The only file that knows rich."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from remedis.console import Track


class Terminal:
    """A `remedis.console.Console` on stderr; draws only where stderr is a terminal."""

    def __init__(self) -> None:
        self._rich = RichConsole(stderr=True, highlight=False, soft_wrap=True)

    def say(self, line: str) -> None:
        """Print one line."""
        self._rich.print(line, markup=False)

    def warn(self, line: str) -> None:
        """Print one line that begins with `warning:`."""
        self._rich.print(f"warning: {line}", style="yellow" if sys.stderr.isatty() else None, markup=False)

    @contextmanager
    def track(self, total: int, unit: str, description: str, *, done: int = 0) -> Iterator[Track]:
        """Show progress while the block runs, and one line with the count, the rate and the time after it."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        with Progress(*columns, console=self._rich, transient=True, disable=not self._rich.is_terminal) as progress:
            task = progress.add_task(description, total=total, completed=done, rate="")
            line = _Line(progress, task, total=total, unit=unit, done=done)
            yield line
        self.say(f"{description} {line.summary()}")


class _Line:
    """One progress line: counts, rate, time left, and a note at its end."""

    def __init__(self, progress: Progress, task: TaskID, *, total: int, unit: str, done: int) -> None:
        self._progress, self._task = progress, task
        self._total, self._unit, self._done, self._before = total, unit, done, done
        self._note = ""
        self._start = time.monotonic()

    def advance(self, count: int = 1) -> None:
        self._done += count
        self._draw()

    def note(self, text: str) -> None:
        self._note = text
        self._draw()

    def summary(self) -> str:
        elapsed = time.monotonic() - self._start
        parts = [f"{self._done:,}/{self._total:,} {self._unit}", self._rate(elapsed), duration(elapsed), self._note]
        return " · ".join(part for part in parts if part)

    def _draw(self) -> None:
        elapsed = time.monotonic() - self._start
        new = self._done - self._before
        left = duration(elapsed / new * (self._total - self._done)) + " left" if new else ""
        parts = [self._unit, self._rate(elapsed), left, self._note]
        text = " · ".join(part for part in parts if part)
        self._progress.update(self._task, completed=self._done, rate=text)

    def _rate(self, elapsed: float) -> str:
        new = self._done - self._before
        return f"{new / elapsed:,.1f} {self._unit}/s" if new and elapsed > 0 else ""


def duration(seconds: float) -> str:
    """Return `0:59` or `2:03:10`."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
