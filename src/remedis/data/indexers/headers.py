"""What the headers of image files say: how many frames, how large. No pixel is decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from remedis.console import QUIET, Console
from remedis.data.readers import count_frames, image_size
from remedis.errors import ReadError

_SINGLE = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib"})
_AHEAD = 64
_HEAD = 1 << 15


@dataclass(frozen=True)
class Header:
    """What one file's header says.

    Attributes:
        frames: Pictures in it; 1 where it cannot be told.
        size: (width, height) in pixels, None where it cannot be told or was not asked for.
        problem: Why the header cannot be read, or nothing.
    """

    frames: int = 1
    size: tuple[int, int] | None = None
    problem: str = ""


def read_headers(folder: Path, names: Sequence[str], *, sizes: bool, console: Console = QUIET) -> list[Header]:
    """Return what the header of each file says.

    Args:
        folder: Where the paths start.
        names: Paths of the files.
        sizes: Whether width and height are wanted; without them JPEG, PNG and BMP files are not opened.
        console: Where progress is shown.
    """
    wanted = [sizes or not _is_single(name) for name in names]
    if not any(wanted):
        return [Header()] * len(names)
    found = []
    opened = [folder / name for name, is_wanted in zip(names, wanted, strict=True) if is_wanted]
    with console.track(len(opened), "files", "reading headers") as track:
        paths = touched(opened)
        for is_wanted in wanted:
            found.append(_header(next(paths), sizes) if is_wanted else Header())
            if is_wanted:
                track.advance()
    return found


def _is_single(name: str) -> bool:
    return Path(name).suffix.lower() in _SINGLE


def touched(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the paths while threads read the next files' beginnings, so that slow disks answer in parallel.

    The headers themselves are parsed by one thread: pydicom and Pillow need settings that all threads share.
    """
    rest = iter(paths)
    with ThreadPoolExecutor(max_workers=8) as pool:
        ahead = [pool.submit(_touch, path) for path in islice(rest, _AHEAD)]
        while ahead:
            yield ahead.pop(0).result()
            ahead += [pool.submit(_touch, path) for path in islice(rest, 1)]


def _touch(path: Path) -> Path:
    try:
        with path.open("rb") as file:
            file.read(_HEAD)
    except OSError:
        pass  # the reader says why
    return path


def _header(path: Path, sizes: bool) -> Header:
    try:
        frames = 1 if _is_single(path.name) else count_frames(path)
    except ReadError as error:
        return Header(problem=str(error))
    size = image_size(path) if sizes else None
    if sizes and size is None:
        return Header(frames=frames, problem=f"{path}: its size cannot be told by its header")
    return Header(frames=frames, size=size)
