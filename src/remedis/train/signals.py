"""SIGTERM and Ctrl-C during a training: the step is finished and saved, then the process ends as asked."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

from remedis.errors import InterruptedRunError, RunEndedError, TerminatedRunError

_ENDINGS: dict[int, type[RunEndedError]] = {
    signal.SIGINT: InterruptedRunError,
    signal.SIGTERM: TerminatedRunError,
}


class Signals:
    """Notes the first signal while the block runs; a second Ctrl-C ends at once."""

    def __init__(self) -> None:
        self.received = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        """Begin to note signals; in another thread than the main one Python allows it not, and nothing is noted."""
        try:
            for number in _ENDINGS:
                self._before[number] = signal.signal(number, self._note)
        except ValueError:
            self._before.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.received = number


def ending(number: int, where: str, kept: str) -> RunEndedError:
    """Return what is to be raised for a signal once the state is saved."""
    return _ENDINGS[number](f"{kept}; the same command goes on there", where=where)
