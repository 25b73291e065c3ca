"""The tree of exceptions, each with the exit status that the command line ends with.

    RemedisError (2)
    ├── UsageError          an option or its value is wrong
    ├── InputError          a file or folder that was given cannot be used
    │   ├── ReadError       one image cannot be read
    │   ├── ManifestError   a table is not what it must be
    │   ├── LabelError      a label column cannot be learnt from
    │   ├── LeakError       one patient stands in two splits
    │   └── CheckpointError a folder of weights is missing, damaged or another network
    ├── FolderError         an output folder holds another job
    ├── ConvertError        no network of ours computes what the original computes
    ├── DownloadError       a file could not be had; says why and what to do
    ├── MissingExtraError   an optional package is not installed; says the pip line
    ├── StoppedError (1)    work had begun and stopped; what was finished is kept
    ├── CheckFailedError (1) a check ran to its end and said no
    └── RunEndedError       a training was asked to end and saved its state first
        ├── InterruptedRunError (130) by Ctrl-C
        └── TerminatedRunError (143)  by SIGTERM

Every message is one line in four parts: where, what was found, what was expected, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class RemedisError(Exception):
    """Something that a person can act on; the command line prints it as one line.

    Args:
        message: What was found, what was expected; what to do. Without a full stop at its end.
        where: The file, folder, option or element that it is about.
    """

    exit_status = 2

    def __init__(self, message: str, *, where: str | Path | None = None) -> None:
        line = " ".join(str(message).split())
        super().__init__(f"{where}: {line}" if where is not None else line)


class UsageError(RemedisError):
    """An option or its value is wrong."""


class InputError(RemedisError):
    """A file or folder that was given cannot be used."""


class ReadError(InputError):
    """One image cannot be read."""


class ManifestError(InputError):
    """A table is not what it must be."""


class LabelError(InputError):
    """A label column cannot be learnt from."""


class LeakError(InputError):
    """One patient stands in two splits."""


class CheckpointError(InputError):
    """A folder of weights is missing, damaged or holds another network."""


class FolderError(RemedisError):
    """An output folder holds another job."""


class ConvertError(RemedisError):
    """No network of ours computes what the original computes."""


class DownloadError(RemedisError):
    """A file could not be had."""


class MissingExtraError(RemedisError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, *, needed_for: str) -> None:
        super().__init__(
            f"{needed_for} needs the package {package}, which is not installed; pip install 'remedis[{extra}]'"
        )


class StoppedError(RemedisError):
    """Work had begun and stopped (full disk, lost connection, a loss that is not finite); finished parts are kept."""

    exit_status = 1


class NotFiniteError(StoppedError):
    """A training's numbers are not finite."""


class CheckFailedError(RemedisError):
    """A check ran to its end and said no."""

    exit_status = 1


class RunEndedError(RemedisError):
    """A training was asked to end; its state was saved first."""


class InterruptedRunError(RunEndedError):
    """Ctrl-C."""

    exit_status = 130


class TerminatedRunError(RunEndedError):
    """SIGTERM."""

    exit_status = 143


_ALIKE, _NEARLY_AS_ALIKE = 0.5, 0.1


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """Return the known names closest in spelling to `name` as a phrase, or all of a short list.

    Returns:
        `did you mean a, b?`, or `known: a, b, c`, or an empty string where nothing is known.
    """
    names = sorted(set(known))
    likeness = {known: difflib.SequenceMatcher(None, name, known).ratio() for known in names}
    least = max(_ALIKE, max(likeness.values(), default=0.0) - _NEARLY_AS_ALIKE)
    close = sorted((known for known in names if likeness[known] >= least), key=lambda known: -likeness[known])
    if close:
        return f"did you mean {', '.join(close[:count])}?"
    if not names:
        return ""
    listed = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
    return f"known: {listed}"
