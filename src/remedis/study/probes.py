"""A cell of probes: every fraction and draw of every label of one data set, solved together on its embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from remedis.data import fractions
from remedis.errors import LabelError
from remedis.evaluate.knn import standard
from remedis.ops.logistic import Problem, Solution, solve
from remedis.study.cell_scores import Scored
from remedis.study.features import Known
from remedis.study.fits import Cell, Fit, tested_on
from remedis.study.question import DataSet, Question

STRENGTHS = tuple(float(f"{value:.6g}") for value in np.logspace(-6, 5, 45))
"""Values of C that validation chooses from, in units of standardised features and of the summed loss."""

_FIRST, _FURTHER = 21, 8  # strengths that are looked at together: up to 0.1, then two decades at a time
_NEAR_THE_END = 2

Integers = npt.NDArray[np.int64]


def training_rows(question: Question, fit: Fit) -> Integers:
    """Return the rows that a fit learns from: the same for every encoder and method."""
    data_set = question.data_set(fit.train)
    return fractions.draw(
        data_set.manifest.table, data_set.parts[fit.repeat].train, [each.codes for each in data_set.targets],
        fit.fraction, seed=question.seed + 1000 * fit.repeat, number=fit.draw, data_set=data_set.manifest.data_set,
    )  # fmt: skip


def scores(question: Question, cell: Cell, known: Mapping[str, Known], device: str) -> list[Scored]:
    """Return the scores of a cell's probes.

    Features are standardised by the whole training part, labelled or not: its images are at hand whatever their labels.
    The strength is chosen by the log loss on the validation part.

    Args:
        question: The study.
        cell: Its probes.
        known: Data set to its embeddings.
        device: Where the regressions are solved.

    Raises:
        LabelError: No image of some class that a draw has could be read.
    """
    first = cell.fits[0]
    learnt = question.data_set(first.train)
    mean, scale = standard(known[first.train].of(learnt.parts[first.repeat].train)[1])
    rows, matrix = known[first.train].rows, (known[first.train].matrix - mean) / scale
    features = torch.from_numpy(np.ascontiguousarray(matrix, np.float32)).to(device)
    asked = [(fit, place) for fit in cell.fits for place in range(len(learnt.targets))]
    problems = [_problem(question, learnt, fit, place, rows) for fit, place in asked]
    parts = _parts(question, first, known, (mean, scale), device)
    judges = {place: _Judge(parts[0], learnt, place) for place in range(len(learnt.targets))}
    solved = _searched(features, problems, [judges[place] for _, place in asked])
    found = []
    for (fit, place), (solution, chosen) in zip(asked, solved, strict=True):
        found += [_scored(fit, learnt.targets[place].label, part, solution, chosen) for part in parts if len(part[2])]
    return found


def _searched(features: Tensor, problems: Sequence[Problem], judges: Sequence[_Judge]) -> list[tuple[Solution, int]]:
    """Return each problem's regressions at some strengths, and which of them validation chooses.

    From the strongest penalty on, some strengths at a time, for as long as the smallest loss is among the last: weak
    penalties take longest, and their losses only rise.
    """
    best: dict[int, tuple[float, Solution, int]] = {}
    waiting = list(range(len(problems)))
    start = 0
    while waiting and start < len(STRENGTHS):
        stop = min(start + (_FIRST if start == 0 else _FURTHER), len(STRENGTHS))
        going_on = []
        for number, solution in zip(
            waiting, solve(features, [problems[number] for number in waiting], STRENGTHS[start:stop]), strict=True
        ):
            losses = judges[number].losses(solution)
            place = int(losses.argmin())
            if number not in best or float(losses[place]) < best[number][0]:
                best[number] = (float(losses[place]), solution, place)
                going_on += [number] if place >= stop - start - _NEAR_THE_END else []
        waiting, start = going_on, stop
    return [best[number][1:] for number in range(len(problems))]


_Part = tuple[str, str, Integers, Tensor]  # data set, part, rows, standardised features


def _parts(
    question: Question, fit: Fit, known: Mapping[str, Known], standardised: tuple[np.ndarray, np.ndarray], device: str
) -> list[_Part]:
    """Return the rows that are scored: the validation part, then the test part of every data set that is tested."""
    mean, scale = standardised
    learnt = question.data_set(fit.train)
    wanted = [(learnt, "validation", learnt.parts[fit.repeat].validation)]
    wanted += [(each, "test", each.parts[fit.repeat].test) for _, each in tested_on(question, fit)]
    found = []
    for data_set, part, rows in wanted:
        there, matrix = known[data_set.name].of(rows)
        features = torch.from_numpy(np.ascontiguousarray((matrix - mean) / scale, np.float32)).to(device)
        found.append((data_set.name, part, there, features))
    return found


def _problem(question: Question, learnt: DataSet, fit: Fit, place: int, rows: Integers) -> Problem:
    label = learnt.targets[place]
    drawn = training_rows(question, fit)
    drawn = drawn[(label.codes[drawn] >= 0) & np.isin(drawn, rows)]
    codes = label.codes[drawn]
    lacking = np.setdiff1d(np.arange(len(label.classes)), codes)
    if len(lacking):
        raise LabelError(
            f"label {label.label!r}: of class {label.classes[lacking[0]]} draw {fit.draw} at {fit.fraction:g} has only "
            f"images that {fit.encoder} could not read; leave these images out of the manifest",
            where=fit.train,
        )
    return Problem(torch.from_numpy(np.searchsorted(rows, drawn)), torch.from_numpy(codes), len(label.classes))


class _Judge:
    """The validation rows of one label."""

    def __init__(self, validation: _Part, learnt: DataSet, place: int) -> None:
        codes = learnt.targets[place].codes[validation[2]]
        labelled = torch.from_numpy(np.flatnonzero(codes >= 0)).to(validation[3].device)
        self._features = validation[3][labelled]
        self._wanted = torch.from_numpy(codes[codes >= 0]).to(validation[3].device)

    def losses(self, solution: Solution) -> Tensor:
        """Return (S,) the summed log loss of each strength."""
        logits = solution.logits(self._features)  # (S, n, k)
        if logits.shape[2] == 1:
            signs = 1.0 - 2.0 * self._wanted.to(logits.dtype)
            return torch.nn.functional.softplus(logits[:, :, 0] * signs).sum(1)
        wanted = self._wanted[None, :, None].expand(len(logits), -1, 1)
        return -torch.log_softmax(logits, 2).gather(2, wanted).sum((1, 2))


def _scored(fit: Fit, label: str, part: _Part, solution: Solution, chosen: int) -> Scored:
    logits = solution.logits(part[3])[chosen]
    probabilities = torch.sigmoid(logits[:, 0]) if logits.shape[1] == 1 else torch.softmax(logits, 1)
    return Scored(fit.fraction, fit.draw, part[0], part[1], label, part[2], probabilities.cpu().numpy())
