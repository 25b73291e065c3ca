"""What is kept of a SavedModel: all that TensorFlow wrote but the weights, which a seed gives.

A file is a list of parts in order: a seeded variable ([canonical name, shape]) or a number of bytes that are kept.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

START = 8  # bytes by which a weight is looked for: two float32 numbers, or an int64
Part = int | list[object]


def parts_of(folder: Path, weights: Mapping[str, np.ndarray]) -> tuple[dict[str, object], dict[str, bytes]]:
    """Return what describes the files ({path: {"sha256", "parts"}}) and the bytes that are kept of each."""
    described: dict[str, object] = {}
    kept: dict[str, bytes] = {}
    missing = set(weights)
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        whole = path.read_bytes()
        places = [] if path.suffix == ".index" else places_in(whole, weights)
        missing -= {weight for _, weight in places}
        parts, rest = divided(whole, places, weights)
        described[name] = {"sha256": hashlib.sha256(whole).hexdigest(), "parts": parts}
        kept[name] = rest
        places_here = (Path.home(), Path(__file__).parents[2], tempfile.gettempdir(), sys.prefix, "/home/", "/usr/")
        for word in (b"site-packages", *(str(place).encode() for place in places_here)):
            assert word not in rest, f"{path}: {word!r} stands in it"
    assert not missing, f"{folder}: {sorted(missing)} stand in no file"
    return described, kept


def places_in(whole: bytes, weights: Mapping[str, np.ndarray]) -> list[tuple[int, str]]:
    """Return (offset, canonical name) of every weight that stands in a file, in order; no two have the same bytes."""
    by_start = {value.tobytes()[:START]: name for name, value in weights.items()}
    start = re.compile(b"|".join(re.escape(each) for each in by_start))
    found: list[tuple[int, str]] = []
    at = 0
    while match := start.search(whole, at):
        name = by_start[match[0]]
        at = match.start() + 1
        if whole.startswith(weights[name].tobytes(), match.start()):
            found.append((match.start(), name))
            at = match.start() + weights[name].nbytes
    return found


def divided(whole: bytes, places: list[tuple[int, str]], weights: Mapping[str, np.ndarray]) -> tuple[list[Part], bytes]:
    """Return the parts of a file and the bytes that no seed gives."""
    parts: list[Part] = []
    rest = b""
    at = 0
    for offset, name in places:
        if offset > at:
            parts.append(offset - at)
            rest += whole[at:offset]
        parts.append([name, list(weights[name].shape)])
        at = offset + weights[name].nbytes
    if at < len(whole):
        parts.append(len(whole) - at)
        rest += whole[at:]
    return parts, rest
