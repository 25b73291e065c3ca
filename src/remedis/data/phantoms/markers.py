"""The letters in the picture: a side marker, the projection, and that all of it is simulated."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from remedis.data.phantoms.geometry import FIELD_MM, Array
from remedis.data.phantoms.population import Exam

# Five columns by seven rows, a string a row.
LETTERS = {
    "A": (".###.", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"),
    "B": ("####.", "#...#", "#...#", "####.", "#...#", "#...#", "####."),
    "D": ("####.", "#...#", "#...#", "#...#", "#...#", "#...#", "####."),
    "E": ("#####", "#....", "#....", "####.", "#....", "#....", "#####"),
    "I": (".###.", "..#..", "..#..", "..#..", "..#..", "..#..", ".###."),
    "L": ("#....", "#....", "#....", "#....", "#....", "#....", "#####"),
    "M": ("#...#", "##.##", "#.#.#", "#.#.#", "#...#", "#...#", "#...#"),
    "O": (".###.", "#...#", "#...#", "#...#", "#...#", "#...#", ".###."),
    "P": ("####.", "#...#", "#...#", "####.", "#....", "#....", "#...."),
    "R": ("####.", "#...#", "#...#", "####.", "#.#..", "#..#.", "#...#"),
    "S": (".####", "#....", "#....", ".###.", "....#", "....#", "####."),
    "T": ("#####", "..#..", "..#..", "..#..", "..#..", "..#..", "..#.."),
    "U": ("#...#", "#...#", "#...#", "#...#", "#...#", "#...#", ".###."),
}
SIMULATED = "SIMULATED"
CELL_MM = 1.6
LEFT_MM, TOP_MM = -190.0, 179.0


def side(exam: Exam, size: int, *, lead: bool) -> Array:
    """Return (N, N) the share of each pixel that the side marker covers.

    A lead letter lies where the radiographer put it, the right side's; a written one always at the same place.
    """
    if not lead:
        return text("L", size, left=152.0, top=-150.0, cell=2.9)
    place = 7 * exam.generator("side marker").standard_normal(2)
    return text("R", size, left=-172.0 + abs(place[0]), top=-142.0 + place[1], cell=3.1)


def written(exam: Exam, size: int, *, with_side: bool) -> Array:
    """Return (N, N) the share of each pixel that letters cover that the machine wrote into the picture."""
    result = text(SIMULATED, size, left=LEFT_MM, top=TOP_MM, cell=CELL_MM)
    if exam.projection == "AP":
        result = result + (
            text("PORTABLE", size, left=96.0, top=-184.0, cell=1.8)
            if with_side
            else text("AP", size, left=-176.0, top=-112.0, cell=2.2)
        )
    return result + side(exam, size, lead=False) if with_side else result


def label(size: int) -> Array:
    """Return (N, N) the share of each pixel that lies in the black label under the word that it is simulated."""
    down = _overlap(size, TOP_MM - CELL_MM, 10 * CELL_MM, 1)
    across = _overlap(size, LEFT_MM - 2 * CELL_MM, (6 * len(SIMULATED) + 3) * CELL_MM, 1)
    result: Array = down @ across.T
    return result


def text(words: str, size: int, *, left: float, top: float, cell: float) -> Array:
    """Return (N, N) the share of each pixel that letters cover.

    Args:
        words: Of the letters in `LETTERS`.
        size: N.
        left: Of the first letter, in mm on the detector (0 in the middle).
        top: As left.
        cell: Side of one of a letter's 5 x 7 cells, in mm; one cell lies between letters.
    """
    cells = bitmap(words)
    down = _overlap(size, top, cell, cells.shape[0])
    across = _overlap(size, left, cell, cells.shape[1])
    result: Array = down @ cells @ across.T
    return result


@lru_cache(maxsize=32)
def bitmap(words: str) -> Array:
    """Return (7, 6 n) cells of 0 and 1."""
    rows = [".".join(LETTERS[letter][row] for letter in words) + "." for row in range(7)]
    return np.array([[float(cell == "#") for cell in row] for row in rows], np.float32)


def _overlap(size: int, start: float, cell: float, count: int) -> Array:
    """Return (N, count) how much of each pixel's side each cell covers."""
    pixel = FIELD_MM / size
    edges = np.arange(size + 1) * pixel - FIELD_MM / 2
    low = start + cell * np.arange(count)
    shared = np.minimum(edges[1:, None], low + cell) - np.maximum(edges[:-1, None], low)
    result: Array = (np.maximum(shared, 0) / pixel).astype(np.float32)
    return result
