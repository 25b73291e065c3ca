"""Which images the page shows, as plain values: examples, their neighbours, and the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from remedis.data.embeddings import Embeddings
from remedis.evaluate.metrics import Floats, Integers
from remedis.evaluate.parts import split_words, units_of
from remedis.evaluate.targets import UNKNOWN, values_of
from remedis.report import examples, projection
from remedis.report.naming import Naming
from remedis.report.part_rows import train_codes
from remedis.report.probe_folder import ProbeFolder
from remedis.report.tested import Tested

Plain = dict[str, Any]
NEIGHBOUR_QUERIES = 4
_EXAMPLES = ((6, 8), (10**9, 4))
"""Up to so many labels, so many examples of each kind."""


@dataclass(frozen=True)
class Rows:
    """Where a row of the page is found: which table it is in, and what it is called there."""

    source: str
    table: pa.Table
    naming: Naming

    def image(self, row: int) -> Plain:
        """Return a row's name, number and key."""
        return {
            "key": [self.source, int(row)],
            "name": self.naming.image(int(row)),
            "patient": self.naming.patient(int(row)),
        }


@dataclass(frozen=True)
class Sources:
    """The tested rows' table and the training rows' table, which are one unless others were tested."""

    tested: Rows
    train: Rows
    place: Integers

    @classmethod
    def of(cls, probe: ProbeFolder, *, names: bool) -> Sources:
        """Return the tables of a probe; its predictions where the embeddings are gone."""
        everything = probe.predictions["logistic"]
        if probe.test is None or probe.train is None or probe.places is None:
            rows = Rows("test", everything, Naming(everything, "image", names=names))
            return cls(rows, rows, np.arange(everything.num_rows))
        if not probe.external:
            rows = Rows("test", probe.test.table, Naming(probe.test.table, "image", names=names))
            return cls(rows, rows, probe.places)
        return cls(
            Rows("test", probe.test.table, Naming(probe.test.table, "tested image", names=names)),
            Rows("train", probe.train.table, Naming(probe.train.table, "training image", names=names)),
            probe.places,
        )


def example_data(probe: ProbeFolder, tested: Tested, sources: Sources, *, labels: int) -> Plain:
    """Return a label's examples of each kind."""
    scores = tested.scores["logistic"]
    count = next(count for most, count in _EXAMPLES if labels <= most)
    chosen = examples.choose(scores, tested.codes, tested.units, count=count)
    called, surety, _ = examples.predicted(scores)
    right = int((called == tested.codes).sum())
    return {
        "right": [_example(tested, sources, row, called, surety) for row in chosen.right],
        "wrong": [_example(tested, sources, row, called, surety) for row in chosen.wrong],
        "nearest": [_example(tested, sources, row, called, surety) for row in chosen.nearest],
        "images_right": right,
        "images_wrong": len(called) - right,
    }


def _example(tested: Tested, sources: Sources, row: int, called: Integers, surety: Floats) -> Plain:
    score = tested.scores["logistic"][row] if tested.binary else surety[row]
    return sources.tested.image(int(sources.place[tested.rows[row]])) | {
        "truth": tested.classes[tested.codes[row]],
        "truth_code": int(tested.codes[row]),
        "called": tested.classes[called[row]],
        "score": float(score),
    }


def neighbour_data(probe: ProbeFolder, tested: Tested, sources: Sources) -> list[Plain]:
    """Return a few tested images, each with the training images that its embedding is nearest to."""
    if probe.test is None or probe.train is None:
        return []
    codes = train_codes(probe, tested)
    known = np.flatnonzero(codes != UNKNOWN)
    queries = _queries(tested)
    rows = sources.place[tested.rows[queries]]
    if not len(known) or not len(rows):
        return []
    nearest, similar = examples.neighbours(
        probe.test.matrix[rows], probe.train.matrix[known], _other_patients(probe, tested, rows, known)
    )
    return [
        {
            "query": sources.tested.image(row)
            | {"truth": tested.classes[tested.codes[query]], "truth_code": int(tested.codes[query])},
            "found": [
                sources.train.image(known[place])
                | {
                    "truth": tested.classes[codes[known[place]]],
                    "truth_code": int(codes[known[place]]),
                    "similarity": float(nearness),
                }
                for place, nearness in zip(nearest[number], similar[number], strict=True)
                if np.isfinite(nearness)
            ],
        }
        for number, (query, row) in enumerate(zip(queries, rows, strict=True))
    ]


def _queries(tested: Tested) -> list[int]:
    """Take the two surest right and the two surest wrong ones, or more right ones where few are wrong."""
    chosen = examples.choose(tested.scores["logistic"], tested.codes, tested.units, count=NEIGHBOUR_QUERIES)
    wrong = chosen.wrong[: NEIGHBOUR_QUERIES // 2]
    return chosen.right[: NEIGHBOUR_QUERIES - len(wrong)] + wrong


def _other_patients(probe: ProbeFolder, tested: Tested, rows: Integers, known: Integers) -> Any:
    """Without a split the training rows of an image are those of other patients."""
    if probe.external or probe.train is None or split_words(probe.train.table) is not None:
        return None
    units = units_of(probe.train.table, probe.config.get("cluster")).codes
    return units[rows][:, None] != units[known][None, :]


def map_data(probe: ProbeFolder, sources: Sources, *, seed: int) -> Plain | None:
    """Return at most a thousand rows with their places on the map, and what they can be coloured by."""
    if probe.test is None or probe.train is None or probe.places is None:
        return None
    tables, matrix, images = _points(probe, sources, seed)
    places, how = projection.project(matrix, seed=seed)
    everything = sum(table.num_rows for table in _tables(probe))
    return {
        "how": how,
        "shown": len(matrix),
        "of": everything,
        "points": [image | {"x": x, "y": y} for image, (x, y) in zip(images, places.tolist(), strict=True)],
        "ways": _ways(probe, tables),
    }


def _tables(probe: ProbeFolder) -> list[pa.Table]:
    assert probe.train is not None
    assert probe.test is not None
    return [probe.test.table, probe.train.table] if probe.external else [probe.test.table]


Piece = tuple[pa.Table, Integers, str]
"""A table, rows of it, and what they are called where the table has no split."""


def _points(probe: ProbeFolder, sources: Sources, seed: int) -> tuple[list[Piece], Any, list[Plain]]:
    test, train = probe.test, probe.train
    assert test is not None
    assert train is not None
    assert probe.places is not None
    used = np.unique(probe.places)
    others = np.arange(train.table.num_rows) if probe.external else np.setdiff1d(np.arange(test.table.num_rows), used)
    tested, others = projection.sample(used, others, seed=seed)
    if probe.external:
        pieces: list[tuple[Embeddings, Rows, Integers, str]] = [
            (test, sources.tested, tested, "tested"), (train, sources.train, others, "learnt from"),
        ]  # fmt: skip
    else:
        pieces = [(test, sources.tested, np.sort(np.r_[tested, others]), "")]
    return (
        [(found.table, rows, word) for found, _, rows, word in pieces],
        np.concatenate([found.matrix[rows] for found, _, rows, _ in pieces]),
        [where.image(int(row)) for _, where, rows, _ in pieces for row in rows],
    )


def _ways(probe: ProbeFolder, pieces: Sequence[Piece]) -> list[Plain]:
    """Return the ways to colour the map: by each label, by site, by part."""
    ways = []
    for tested in probe.tested[:4]:
        values = [_of_classes(piece, tested.label, tested.classes) for piece in pieces]
        ways.append(_way(tested.label, list(tested.classes), [value for column in values for value in column], "class"))
    sites = [site for piece in pieces for site in _texts(piece, "site")]
    if len({site for site in sites if site}) > 1:
        names = sorted({site for site in sites if site})
        ways.append(_way("site", names, sites, "site"))
    parts = [part for piece in pieces for part in _parts(piece)]
    known = [part for part in ("train", "validation", "test", "learnt from", "tested") if part in parts]
    if len(known) > 1:
        ways.append(_way("split", known, parts, "split"))
    return ways


def _way(name: str, values: Sequence[str], column: Sequence[str], kind: str) -> Plain:
    place: Mapping[str, int] = {value: number for number, value in enumerate(values)}
    codes = [place.get(value, UNKNOWN) for value in column]
    counts = [codes.count(number) for number in range(len(values))]
    return {"name": name, "kind": kind, "values": values, "counts": counts, "codes": codes}


def _of_classes(piece: Piece, label: str, classes: Sequence[str]) -> list[str]:
    return [text if text in classes else "" for text in _texts(piece, label)]


def _texts(piece: Piece, column: str) -> list[str]:
    table, rows, _ = piece
    if column not in table.column_names:
        return [""] * len(rows)
    texts, codes = values_of(table, column)
    return ["" if code == UNKNOWN else texts[code] for code in codes[rows]]


def _parts(piece: Piece) -> list[str]:
    table, rows, word = piece
    words = None if word else split_words(table)
    return [word] * len(rows) if words is None else [words[row] or "" for row in rows]
