"""The verdict of the validation part against scikit-learn and the definition, and what has no verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from finetune_tasks import SIZE, labelled_images
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from references import finetune_loss as reference
from remedis.data.loader import View
from remedis.data.manifest import Manifest
from remedis.errors import StoppedError
from remedis.evaluate.targets import Target, target
from remedis.train.judge import Judge, Verdict, macro_auroc
from remedis.train.labels import matrix
from remedis.train.squares import Squares, logits_of

ROWS = np.array([3, 7, 8, 12, 15, 17, 20, 23])


class Brightness(nn.Module):
    """One logit, the mean brightness, or four: it and three of its own."""

    def __init__(self, logits: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(1.0, -2.0, logits))

    def forward(self, x: Tensor) -> Tensor:
        return 4 * x.mean((1, 2, 3))[:, None] * self.weight + x[:, 0, :1, 0] * self.weight.cos()


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return labelled_images(tmp_path_factory.mktemp("bright"))


def _squares(manifest: Manifest, rows: np.ndarray[tuple[int], np.dtype[np.int64]] = ROWS) -> Squares:
    return Squares(manifest, rows, View("dicom-display", SIZE, "squash"), workers=0, keep=True)


def _targets(manifest: Manifest) -> list[Target]:
    return [target(manifest.table, "bright"), target(manifest.table, "kind")]


def _asked(manifest: Manifest, network: nn.Module) -> tuple[Verdict, Tensor]:
    squares = _squares(manifest)
    verdict = Judge(squares, _targets(manifest)).ask(network, (0.0, 1.0), bfloat16=False)
    return verdict, torch.cat([logits for _, logits in logits_of(squares, network, (0.0, 1.0), bfloat16=False)])


def test_the_verdict_is_scikit_learns_mean_auroc_and_the_loss_of_the_known(manifest: Manifest) -> None:
    verdict, logits = _asked(manifest, Brightness(4))
    bright, kind = (each.codes[ROWS] for each in _targets(manifest))
    assert (bright == -1).any()
    values = logits.double().numpy()
    one = roc_auc_score(bright[bright >= 0], values[bright >= 0, 0])
    several = np.exp(values[:, 1:]) / np.exp(values[:, 1:]).sum(axis=1, keepdims=True)
    rest = np.mean([roc_auc_score(kind == k, several[:, k]) for k in range(3)])
    assert verdict.auroc == pytest.approx((one + rest) / 2, rel=1e-12)
    losses = [
        reference.label_loss(values[:, :1], bright.tolist(), 2, [1.0, 1.0]),
        reference.label_loss(values[:, 1:], kind.tolist(), 3, [1.0] * 3),
    ]
    assert verdict.loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert verdict.n == len(ROWS)


@pytest.mark.parametrize("seed", range(5))
def test_the_mean_auroc_of_random_scores_with_ties_and_gaps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = [rng.integers(-1, 2, 40), rng.integers(-1, 3, 40)]
    targets = [Target("a", ("0", "1"), codes[0], {}), Target("b", ("x", "y", "z"), codes[1], {})]
    logits = torch.from_numpy(rng.integers(-2, 3, (40, 4)).astype(np.float32))
    expected = [roc_auc_score(codes[0][codes[0] >= 0], logits[codes[0] >= 0, 0])]
    p = logits[:, 1:].double().softmax(1).numpy()[codes[1] >= 0]
    expected.append(np.mean([roc_auc_score(codes[1][codes[1] >= 0] == k, p[:, k]) for k in range(3)]))
    found = macro_auroc(logits, matrix(targets, np.arange(40), "none"))
    assert found == pytest.approx(np.mean(expected), rel=1e-12)


def test_a_label_of_one_class_in_validation_has_no_say_in_the_auroc() -> None:
    targets = [
        Target("a", ("0", "1"), np.array([0, 0, 1, 1]), {}),
        Target("b", ("0", "1"), np.array([1, 1, -1, 1]), {}),
    ]
    logits = torch.tensor([[0.0, 9.0], [1.0, 9.0], [2.0, 9.0], [3.0, 9.0]])
    assert macro_auroc(logits, matrix(targets, np.arange(4), "none")) == 1.0
    assert np.isnan(macro_auroc(logits[:, 1:], matrix(targets[1:], np.arange(4), "none")))


def test_a_better_auroc_then_a_smaller_loss_wins() -> None:
    nan = float("nan")
    order = [
        Verdict(nan, 2.0, 4),
        Verdict(nan, 1.0, 4),
        Verdict(0.4, 9.0, 4),
        Verdict(0.9, 3.0, 4),
        Verdict(0.9, 2.0, 4),
    ]
    assert sorted([order[place] for place in (3, 0, 4, 1, 2)], key=lambda verdict: verdict.key) == order


def test_numbers_that_are_none_choose_nothing(manifest: Manifest) -> None:
    """Sorted by a score that is no number, rows stand as in the manifest, which may look like a perfect AUROC."""
    network = Brightness(4)
    with torch.no_grad():
        network.weight[0] = torch.nan
    with pytest.raises(StoppedError, match=r"logits of the validation part are not finite.*--learning-rate"):
        _asked(manifest, network)


def test_unreadable_images_are_left_out_and_named_and_none_at_all_is_refused(tmp_path: Path) -> None:
    manifest = labelled_images(tmp_path)
    (tmp_path / "07.png").write_bytes(b"no image")
    judge = Judge(_squares(manifest), _targets(manifest))
    assert judge.ask(Brightness(4), (0.0, 1.0), bfloat16=False).n == len(ROWS) - 1
    assert list(judge.rejected) == [7]
    assert "07.png" in judge.rejected[7]
    alone = Judge(_squares(manifest, np.array([7])), _targets(manifest))
    with pytest.raises(StoppedError, match=r"no image of the validation part could be read: .*07\.png"):
        alone.ask(Brightness(4), (0.0, 1.0), bfloat16=False)
    assert Judge(None, []).rejected == {}


def test_squares_are_decoded_once_and_come_in_the_order_of_their_rows(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    squares = _squares(manifest, ROWS[::-1].copy())
    first = [(rows.tolist(), logits) for rows, logits in _scored(squares)]
    monkeypatch.setattr("remedis.train.squares.Loader", None)
    second = [(rows.tolist(), logits) for rows, logits in _scored(squares)]
    assert [rows for rows, _ in first] == [rows for rows, _ in second] == [ROWS.tolist()]
    assert torch.equal(first[0][1], second[0][1])


def _scored(squares: Squares) -> Iterator[tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Tensor]]:
    return logits_of(squares, Brightness(1), (0.0, 1.0), bfloat16=False)
