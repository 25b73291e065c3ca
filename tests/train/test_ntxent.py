"""The contrastive loss against loops over pairs, closed forms and the official program's form."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from references.ntxent import by_pairs, official
from remedis.train.ntxent import Contrast, ntxent

IDS = [3, 5, 3, 7, 7, 7, 2]


def projections(n: int = 7, d: int = 5, *, seed: int = 0, alike: float = 0.6) -> tuple[Tensor, Tensor]:
    """Two views that are more or less alike, so that some positives win and some do not."""
    random = np.random.default_rng(seed)
    image = random.normal(size=(n, d))
    h1, h2 = (torch.from_numpy(image * alike + random.normal(size=(n, d))) for _ in range(2))
    return h1.requires_grad_(), h2.requires_grad_()


def numbers(h: Tensor) -> np.ndarray:
    return h.detach().double().numpy()


@pytest.mark.parametrize("ids", [None, IDS], ids=["all-different", "some-equal"])
@pytest.mark.parametrize("norm", [True, False], ids=["unit", "raw"])
@pytest.mark.parametrize("tile", [None, 1, 3, 7, 50])
def test_the_loss_is_that_of_all_pairs(ids: list[int] | None, norm: bool, tile: int | None) -> None:
    for seed, temperature in enumerate([0.05, 0.1, 0.5, 3.0]):
        h1, h2 = projections(seed=seed)
        names = None if ids is None else torch.tensor(ids)
        found = ntxent(h1, h2, temperature=temperature, hidden_norm=norm, ids=names, tile=tile)
        expected = by_pairs(numbers(h1), numbers(h2), temperature, norm=norm, ids=ids)
        assert found.loss.item() == pytest.approx(expected.loss, rel=1e-12)
        assert found.accuracy.item() == pytest.approx(expected.accuracy, rel=1e-12)
        assert found.loss.dtype == torch.float64


def test_f20_the_official_loss_is_twice_the_papers() -> None:
    h1, h2 = projections(9, 4, seed=3)
    program, paper = official(numbers(h1), numbers(h2), 0.1), by_pairs(numbers(h1), numbers(h2), 0.1)
    assert program.loss == pytest.approx(2 * paper.loss, rel=1e-12)
    assert ntxent(h1, h2, temperature=0.1, loss_scale=2).loss.item() == pytest.approx(program.loss, rel=1e-12)
    assert ntxent(h1, h2, temperature=0.1).loss.item() == pytest.approx(paper.loss, rel=1e-12)


def test_the_entropy_is_the_official_one_without_its_small_constant() -> None:
    h1, h2 = projections(9, 4, seed=5)
    found, program = ntxent(h1, h2, temperature=0.5, tile=2), official(numbers(h1), numbers(h2), 0.5)
    assert found.entropy.item() == pytest.approx(program.entropy, abs=9e-8)  # -Σ p·1e-8/p for each of 9 candidates
    assert found.entropy.item() != program.entropy
    sharp = ntxent(torch.eye(4), torch.eye(4), temperature=1e-3)
    assert sharp.entropy.item() == 0.0
    other_way = ntxent(h2, h1, temperature=0.5)
    assert other_way.entropy.item() == pytest.approx(official(numbers(h2), numbers(h1), 0.5).entropy, abs=9e-8)


def test_f21_a_view_that_looks_like_another_image_is_a_miss() -> None:
    """Angles of 0° and 20° against 50° and 30°: each first view is nearest to the other first view."""
    angles = torch.tensor([[0.0, 20.0], [-12.0, 45.0]], dtype=torch.float64).deg2rad()
    h1, h2 = torch.stack((angles[0].cos(), angles[0].sin()), 1), torch.stack((angles[1].cos(), angles[1].sin()), 1)
    found = ntxent(h1, h2, temperature=0.1)
    assert official(numbers(h1), numbers(h2), 0.1).accuracy == 1.0
    assert by_pairs(numbers(h1), numbers(h2), 0.1).accuracy == 0.75
    assert found.accuracy.item() == 0.75


@pytest.mark.parametrize("n", [1, 2, 5, 16])
def test_collapsed_projections_give_the_logarithm_of_the_candidates(n: int) -> None:
    h = torch.zeros(n, 3, dtype=torch.float64)
    h[:, 1] = 2.0
    for tile in (None, 2):
        found = ntxent(h, h, temperature=0.1, loss_scale=2, tile=tile)
        assert found.loss.item() == pytest.approx(2 * math.log(2 * n - 1), rel=1e-12, abs=1e-15)
        assert found.entropy.item() == pytest.approx(math.log(n), rel=1e-12, abs=1e-15)
        assert found.accuracy.item() == (1.0 if n == 1 else 0.0)  # a tie is no hit


def test_orthogonal_images_give_the_closed_form() -> None:
    h = torch.eye(6, dtype=torch.float64)
    found = ntxent(3 * h, 5 * h, temperature=0.25)
    assert found.loss.item() == pytest.approx(math.log(1 + 10 * math.exp(-4)), rel=1e-12)
    assert found.accuracy.item() == 1.0


def test_a_high_temperature_tells_nothing() -> None:
    h1, h2 = projections(11, 4)
    assert ntxent(h1, h2, temperature=1e9).loss.item() == pytest.approx(math.log(21), rel=1e-8)


def test_order_and_kind_of_views_do_not_matter() -> None:
    h1, h2 = projections(8, 5, seed=2)
    order = torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    loss = ntxent(h1, h2, temperature=0.2).loss.item()
    assert ntxent(h1[order], h2[order], temperature=0.2).loss.item() == pytest.approx(loss, rel=1e-13)
    assert ntxent(h2, h1, temperature=0.2).loss.item() == pytest.approx(loss, rel=1e-13)
    assert ntxent(h1 * 7, h2 * 0.1, temperature=0.2).loss.item() == pytest.approx(loss, rel=1e-13)


def test_of_one_patient_alone_nothing_is_learnt() -> None:
    h1, h2 = projections(5, 3)
    found = ntxent(h1, h2, temperature=0.1, ids=torch.full((5,), 9))
    found.loss.backward()
    assert found.loss.item() == pytest.approx(0.0, abs=1e-15)
    assert found.accuracy.item() == 1.0
    assert h1.grad is not None
    assert h1.grad.abs().max() == 0


def test_an_image_twice_in_the_batch_is_no_negative_of_itself() -> None:
    h1, h2 = projections(4, 3)
    twice1, twice2 = torch.cat((h1, h1[:1])), torch.cat((h2, h2[:1]))
    ids = torch.tensor([0, 1, 2, 3, 0])
    expected = by_pairs(numbers(twice1), numbers(twice2), 0.1, ids=ids.tolist())
    with_ids = ntxent(twice1, twice2, temperature=0.1, ids=ids)
    assert with_ids.loss.item() == pytest.approx(expected.loss, rel=1e-12)
    assert ntxent(twice1, twice2, temperature=0.1).loss > with_ids.loss


@pytest.mark.parametrize("norm", [True, False], ids=["unit", "raw"])
@pytest.mark.parametrize("ids", [None, IDS], ids=["all-different", "some-equal"])
@pytest.mark.parametrize("tile", [None, 3])
def test_gradients_are_those_of_small_differences(ids: list[int] | None, norm: bool, tile: int | None) -> None:
    names = None if ids is None else torch.tensor(ids)

    def loss(h1: Tensor, h2: Tensor) -> Tensor:
        return ntxent(
            h1, h2, temperature=0.4, hidden_norm=norm, loss_scale=1.5, ids=names, tile=tile
        ).loss  # fmt: skip

    assert torch.autograd.gradcheck(loss, projections(7, 4, seed=1))


def test_only_the_loss_has_a_gradient() -> None:
    found = ntxent(*projections(), temperature=0.1)
    assert found.loss.requires_grad
    assert not found.accuracy.requires_grad
    assert not found.entropy.requires_grad


def test_a_gradient_is_orthogonal_to_its_projection() -> None:
    h1, h2 = projections(10, 6)
    ntxent(h1, h2, temperature=0.1).loss.backward()
    assert h1.grad is not None
    assert (h1.grad * h1).sum(1).abs().max() < 1e-14 * 10


@pytest.mark.parametrize("tile", [1, 4, 13, 64])
def test_tiles_change_neither_value_nor_gradient(tile: int) -> None:
    def run(rows: int | None) -> tuple[Contrast, Tensor, Tensor]:
        h1, h2 = projections(13, 5, seed=8)
        found = ntxent(h1, h2, temperature=0.2, tile=rows)
        found.loss.backward()
        assert h1.grad is not None
        assert h2.grad is not None
        return found, h1.grad, h2.grad

    (whole, *whole_gradients), (tiled, *tiled_gradients) = run(None), run(tile)
    torch.testing.assert_close(tiled.loss, whole.loss, rtol=1e-13, atol=0)
    torch.testing.assert_close(tiled_gradients, whole_gradients, rtol=1e-11, atol=1e-15)
    assert (tiled.accuracy, tiled.entropy) == (pytest.approx(whole.accuracy), pytest.approx(whole.entropy))


class Memory(TorchDispatchMode):
    """Counts the bytes of the tensors that are made within and live at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        self.peak = max(self.peak, self.live)
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        address, size = storage._cdata, storage.nbytes()
        if address not in self._seen:
            self._seen.add(address)
            self.live += size
            weakref.finalize(storage, self._free, address, size)

    def _free(self, address: int, size: int) -> None:
        self._seen.discard(address)
        self.live -= size


def memory(n: int, tile: int | None) -> tuple[int, int]:
    """Return the bytes kept between forward and backward, and the most that lived at a time in either."""
    h1, h2 = projections(n, 4)
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.untyped_storage().nbytes())
        return tensor

    with Memory() as used, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        ntxent(h1, h2, temperature=0.1, tile=tile).loss.backward()
    return sum(kept), used.peak


def test_memory_grows_with_the_tile_and_not_with_the_square() -> None:
    square = 512 * 1024 * 8  # bytes of one direction's similarities
    _, whole = memory(512, None)
    assert whole > 2 * square  # what is counted is there
    kept, peak = memory(512, 16)
    assert kept < square / 15
    assert peak < square / 4
    kept_twice, peak_twice = memory(1024, 16)
    assert kept_twice < 2.1 * kept
    assert peak_twice < 2.1 * peak
    assert memory(512, 32)[1] > 1.3 * peak


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    h1, h2 = (h.detach().to(dtype).requires_grad_() for h in projections(8, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = ntxent(h1, h2, temperature=0.1)
        found.loss.backward()
    assert found.loss.dtype == torch.float32
    assert found.loss.item() == pytest.approx(by_pairs(numbers(h1), numbers(h2), 0.1).loss, rel=1e-5)
    exact1, exact2 = (h.detach().double().requires_grad_() for h in (h1, h2))
    ntxent(exact1, exact2, temperature=0.1).loss.backward()
    assert h1.grad is not None
    assert h1.grad.dtype == dtype
    torch.testing.assert_close(h1.grad.double(), exact1.grad, rtol=2**-7, atol=2**-9 * float(exact1.grad.abs().max()))


def test_a_small_loss_and_its_gradient_keep_their_digits_in_float32() -> None:
    h1, h2 = projections(12, 8, alike=4.0, seed=1)
    f1, f2 = (h.detach().float().requires_grad_() for h in (h1, h2))
    ntxent(h1, h2, temperature=0.01).loss.backward()
    found = ntxent(f1, f2, temperature=0.01)
    found.loss.backward()
    expected = by_pairs(numbers(f1), numbers(f2), 0.01).loss
    assert expected == pytest.approx(1.156e-6, rel=1e-3)
    assert found.loss.item() == pytest.approx(expected, rel=8 * 2**-24 / 0.01)  # similarities have errors of 2**-24
    assert h1.grad is not None
    assert f1.grad is not None
    assert (f1.grad.double() - h1.grad).norm() < 1e-4 * h1.grad.norm()


def test_similarities_of_any_size_are_masked() -> None:
    """All candidates are further from the anchor than -1e9, which the official program subtracts to mask."""
    h1, h2 = torch.tensor([[1e6], [1e6 + 1]]), torch.tensor([[-1e6], [-1e6 - 2]])
    h1.requires_grad_()
    found = ntxent(h1, h2, temperature=0.01, hidden_norm=False, ids=torch.zeros(2, dtype=torch.long))
    assert found.loss.item() == 0.0
    assert found.accuracy.item() == 1.0
    found = ntxent(h1, h2, temperature=0.01, hidden_norm=False)
    found.loss.backward()
    assert found.loss.item() == pytest.approx(by_pairs(numbers(h1), numbers(h2), 0.01, norm=False).loss, rel=1e-6)
    assert h1.grad is not None
    assert h1.grad.isfinite().all()


def test_a_projection_shorter_than_a_millionth_is_divided_by_that() -> None:
    h1, h2 = projections(5, 3)
    with torch.no_grad():
        h1[0] *= 1e-8
        h2[1] = 0.0
    found = ntxent(h1, h2, temperature=0.1)
    assert found.loss.item() == pytest.approx(by_pairs(numbers(h1), numbers(h2), 0.1).loss, rel=1e-12)
    found.loss.backward()
    assert h2.grad is not None
    assert h2.grad.isfinite().all()
