"""Which labels are used when only a share of them is: nested, stratified, by patient, and the same for every method.

All patients are put into one order, decided by (seed, draw) and by who they are; a fraction is the beginning of it. So
5 % lie within 25 %, and neither the encoder nor the method has a say.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remedis.data.manifest import patient_keys
from remedis.data.splits import draws_of
from remedis.errors import UsageError

Integers = npt.NDArray[np.int64]


def draw(
    table: pa.Table,
    rows: Integers,
    codes: Sequence[Integers],
    fraction: float,
    *,
    seed: int,
    number: int,
    data_set: str | None = None,
) -> Integers:
    """Return the rows of one draw, ascending.

    Of P patients the first ⌈fraction · P⌉ of the order are taken. The order goes through the strata (patients with the
    same classes) side by side, so that every beginning of it has each stratum's share, up to one patient. The first
    patient of each class is taken in any case, as a class without a label cannot be learnt.

    Args:
        table: The manifest's rows.
        rows: Numbers of those to draw from: the training part.
        codes: For each label (N,) classes, -1 where a row has none; rows without any are not drawn from.
        fraction: In (0, 1]; at 1 every draw is the whole part.
        seed: Of the study.
        number: Of the draw.
        data_set: The data set's name.

    Raises:
        UsageError: The fraction is not in (0, 1].
    """
    if not 0 < fraction <= 1:
        raise UsageError(f"a label fraction is {fraction:g}, more than 0 and at most 1 was expected")
    known = np.sort(rows)[np.any([code[np.sort(rows)] >= 0 for code in codes], axis=0)]
    if fraction == 1 or not len(known):
        return known
    part = table.take(pa.array(known))
    _, first, patients = np.unique(patient_keys(part, data_set=data_set), return_index=True, return_inverse=True)
    classes = [code[known] for code in codes]
    order = _order(_strata(classes, patients, len(first)), draws_of(part, first, f"{seed}\0{number}"))
    taken = np.zeros(len(first), bool)
    taken[order[: int(np.ceil(round(fraction * len(first), 9)))]] = True
    taken[_first_of_each_class(classes, patients, order)] = True
    return known[taken[patients]]


def _first_of_each_class(classes: Sequence[Integers], patients: Integers, order: Integers) -> list[int]:
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return [
        int(order[place[patients[code == each]].min()]) for code in classes for each in np.unique(code) if each >= 0
    ]


def _strata(codes: Sequence[Integers], patients: Integers, count: int) -> Integers:
    """Return (P,) each patient's stratum: the highest class of each label."""
    highest = np.full((count, len(codes)), -1, np.int64)
    for column, code in enumerate(codes):
        np.maximum.at(highest[:, column], patients, code)
    return np.unique(highest, axis=0, return_inverse=True)[1].reshape(-1)


def _order(strata: Integers, hashes: npt.NDArray[np.uint64]) -> Integers:
    """Return the patients in order: within a stratum by hash, the strata side by side.

    Every beginning of the order has each stratum's share up to less than one patient: the k-th of n patients of a
    stratum, of P in K strata, is due not before place ((k - 1) + θ) P / n and not after (k - θ) P / n, with
    θ = 1 / (2K - 2), and of those that may come the one with the nearest end does. Which of equals comes first is
    decided by their hash.

    Source: Tijdeman, The chairman assignment problem, Discrete Mathematics 32 (1980).
    """
    total = len(strata)
    numbers, sizes = np.unique(strata, return_counts=True)
    slack = max(2 * len(numbers) - 2, 1)
    due = []
    for stratum, size in zip(numbers, sizes.tolist(), strict=True):
        members = np.flatnonzero(strata == stratum)
        members = members[np.argsort(hashes[members], kind="stable")]
        for k, patient in enumerate(members.tolist()):
            first = -(-(k * slack + 1) * total // (slack * size))
            last = ((k + 1) * slack - 1) * total // (slack * size) + 1
            due.append((first, last, int(hashes[patient]), patient))
    due.sort(reverse=True)
    order: list[int] = []
    waiting: list[tuple[int, int, int]] = []
    while len(order) < total:
        while due and due[-1][0] <= len(order) + 1:
            heapq.heappush(waiting, due.pop()[1:])
        order.append(heapq.heappop(waiting)[2])
    return np.array(order, np.int64)
