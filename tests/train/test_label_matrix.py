"""Several labels with gaps: loss and gradients against float64 row by row; an unknown label teaches nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from references import finetune_loss as reference
from remedis.evaluate.targets import Target
from remedis.train.labels import Asked, LabelMatrix, Learnt, loss, matrix, probabilities, widths

CODES = {"a": [0, 1, -1, 1, 0, -1, 1, 1], "kind": [2, -1, 0, 1, 2, 2, -1, 0], "b": [1, 0, 1, 0, -1, -1, 0, 1]}
CLASSES = {"a": ("no", "yes"), "kind": ("x", "y", "z"), "b": ("0", "1")}
PLACES = {"a": slice(0, 1), "kind": slice(1, 4), "b": slice(4, 5)}


def _matrix(class_weights: str = "none", codes: dict[str, list[int]] = CODES) -> LabelMatrix:
    targets = [Target(name, CLASSES[name], np.array(each), {}) for name, each in codes.items()]
    return matrix(targets, np.arange(len(codes["a"])), class_weights)


def _logits() -> torch.Tensor:
    made = torch.randn(8, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (3 * made).requires_grad_()


def _loss(labels: LabelMatrix, logits: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
    asked = labels.of(torch.arange(len(logits)) if rows is None else rows)
    return loss(logits, asked, labels.labels, asked.weights.sum(0))


def _expected(logits: torch.Tensor, class_weights: str) -> float:
    values = logits.detach().numpy()
    found = []
    for name, codes in CODES.items():
        count = len(CLASSES[name])
        weights = reference.balanced(codes, count) if class_weights == "balanced" else [1.0] * count
        found.append(reference.label_loss(values[:, PLACES[name]], codes, count, weights))
    return float(np.mean(found))


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_the_loss_is_the_mean_over_labels_of_each_labels_weighted_mean(class_weights: str) -> None:
    logits = _logits()
    found = float(_loss(_matrix(class_weights), logits.detach()))
    assert found == pytest.approx(_expected(logits, class_weights), rel=1e-6)


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_gradients_are_the_references_slopes(class_weights: str) -> None:
    logits = _logits()
    _loss(_matrix(class_weights), logits).backward()
    assert logits.grad is not None
    for row, column in np.ndindex(8, 5):
        slopes = []
        for step in (1e-5, -1e-5):
            moved = logits.detach().clone()
            moved[row, column] += step
            slopes.append(_expected(moved, class_weights))
        assert float(logits.grad[row, column]) == pytest.approx((slopes[0] - slopes[1]) / 2e-5, abs=1e-7)


def test_a_row_without_a_label_teaches_nothing_of_it_and_all_of_the_others() -> None:
    logits = _logits()
    _loss(_matrix(), logits).backward()
    assert logits.grad is not None
    for name, codes in CODES.items():
        for row, code in enumerate(codes):
            gradient = logits.grad[row, PLACES[name]]
            assert bool(gradient.any()) == (code >= 0), (name, row)


def test_what_an_unknown_label_might_be_is_not_looked_at() -> None:
    """The gap's logits may be anything."""
    logits = _logits().detach()
    wild = logits.clone()
    for name, codes in CODES.items():
        wild[np.array(codes) < 0, PLACES[name]] = 50.0
    assert float(_loss(_matrix(), wild)) == pytest.approx(float(_loss(_matrix(), logits)), rel=1e-12)


def test_a_label_that_no_row_of_the_step_has_costs_nothing() -> None:
    labels = _matrix()
    rows = torch.tensor([5])  # neither a nor b
    logits = _logits()[5:6].detach().requires_grad_()
    value = _loss(labels, logits, rows)
    value.backward()
    expected = reference.several(logits.detach()[0, 1:4].tolist(), [0.0, 0.0, 1.0]) / 3
    assert float(value.detach()) == pytest.approx(expected, rel=1e-6)
    assert logits.grad is not None
    assert not logits.grad[0, [0, 4]].any()


def test_balanced_classes_weigh_the_same_and_all_rows_as_many_as_they_are() -> None:
    labels = _matrix("balanced")
    for place, (name, codes) in enumerate(CODES.items()):
        weights = labels.weights[place][[code for code in codes if code >= 0]]
        known = [code for code in codes if code >= 0]
        sums = [float(sum(w for w, c in zip(weights, known, strict=True) if c == k)) for k in range(len(CLASSES[name]))]
        assert sums == pytest.approx([len(known) / len(sums)] * len(sums), rel=1e-6)


def test_a_class_that_no_row_has_breaks_nothing() -> None:
    labels = _matrix("balanced", {**CODES, "kind": [0, 0, 1, 1, -1, 0, 0, 0]})
    assert all(bool(torch.isfinite(weights).all()) for weights in labels.weights)


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    labels, logits = _matrix(), _logits().detach()
    asked = labels.of(torch.arange(8))
    counts = asked.weights.sum(0)
    parts = [loss(logits[part], asked.part(part), labels.labels, counts) for part in (slice(0, 3), slice(3, 8))]
    assert float(sum(parts)) == pytest.approx(float(_loss(labels, logits)), rel=1e-12)


def test_rows_are_asked_by_their_number_among_the_training_rows() -> None:
    targets = [Target(name, CLASSES[name], np.array(each), {}) for name, each in CODES.items()]
    labels = matrix(targets, np.array([7, 4, 2]), "none")
    asked = labels.of(torch.tensor([2, 0]))
    assert asked.wanted.tolist() == [[0, 1, 0, 0, 1], [1, 1, 0, 0, 1]]
    assert asked.weights.tolist() == [[0, 1, 1], [1, 1, 1]]


def test_probabilities_are_sigmoid_of_one_and_softmax_of_several() -> None:
    labels = _matrix().labels
    values = _logits().detach()
    found = probabilities(values.float(), labels)
    x = values.float().double().numpy()
    np.testing.assert_allclose(found[0], 1 / (1 + np.exp(-x[:, 0])), rtol=1e-12)
    np.testing.assert_allclose(found[2], 1 / (1 + np.exp(-x[:, 4])), rtol=1e-12)
    expected = np.exp(x[:, 1:4]) / np.exp(x[:, 1:4]).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found[1], expected, rtol=1e-12)


def test_logits_and_score_columns_of_labels() -> None:
    labels: list[Any] = [Learnt("sick", ("no", "yes")), Learnt("kind", ("x", "y", "z"))]
    assert widths(labels) == [1, 3]
    assert labels[0].score_columns == ("score_sick",)
    assert labels[1].score_columns == ("score_kind=x", "score_kind=y", "score_kind=z")


def test_a_part_of_what_is_asked() -> None:
    asked = Asked(torch.arange(6.0).reshape(3, 2), torch.arange(3.0)[:, None])
    part = asked.part(slice(1, 3)).to(torch.device("cpu"))
    assert part.wanted.tolist() == [[2, 3], [4, 5]]
    assert part.weights.tolist() == [[1], [2]]


def test_a_class_set_aside_is_learnt_and_the_others_share_the_score() -> None:
    """CheXpert's U-MultiClass (arXiv:1901.07031, section 3): p1 / (p0 + p1) of a softmax over three classes."""
    label = Learnt("edema", ("0", "1", "uncertain"), ("uncertain",))
    logits = torch.tensor([[0.3, 1.1, 4.0], [2.0, -1.0, -3.0]])
    whole = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    (scores,) = probabilities(logits, [label])
    np.testing.assert_allclose(scores, whole[:, 1] / (whole[:, 0] + whole[:, 1]), rtol=1e-6)
    assert (label.width, label.scored, label.score_columns) == (3, ("0", "1"), ("score_edema",))
    assert label.scored_codes(np.array([0, 1, 2, -1])).tolist() == [0, 1, -1, -1]


def test_of_four_classes_one_aside_three_share_the_score() -> None:
    label = Learnt("cell", ("a", "b", "c", "d"), ("b",))
    (scores,) = probabilities(torch.tensor([[1.0, 9.0, 2.0, 3.0]]), [label])
    np.testing.assert_allclose(scores[0], np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum(), rtol=1e-12)
    assert label.score_columns == ("score_cell=a", "score_cell=c", "score_cell=d")
