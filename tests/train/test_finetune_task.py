"""One step of fine-tuning: parts and recomputation change nothing, optimisers and schedule do what their names say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from finetune_tasks import (
    BRIGHT,
    IMAGES,
    KIND,
    SIZE,
    TinyBiT,
    TinyResNet,
    double_task,
    furthest,
    job_of,
    labelled_images,
    stepped,
    tiny,
    trained,
)

from references import finetune_loss as reference
from references import lars as references
from references.schedule import rates
from remedis.data.manifest import Manifest
from remedis.errors import UsageError
from remedis.models.staged import Staged
from remedis.train import finetune_job
from remedis.train.finetune_job import _plan, pace_of
from remedis.train.mixup import share_of


@pytest.fixture(autouse=True)
def in_double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return labelled_images(tmp_path_factory.mktemp("bright"))


HOW: list[dict[str, Any]] = [{}, {"mixup": 0.4, "class_weights": "balanced"}, {"fine_tune_after_block": 2}]


@pytest.mark.parametrize("parts", [2, 3, 8, 20])
@pytest.mark.parametrize("how", HOW, ids=["plain", "mixup and weights", "half frozen"])
def test_parts_of_a_batch_give_what_the_whole_gives(parts: int, how: dict[str, Any]) -> None:
    """Three parts are of unlike sizes and of unlike numbers of known labels."""
    whole, shared = stepped(double_task(**how)), stepped(double_task(plan={"parts": parts}, **how))
    assert furthest(shared, whole) < 1e-9


@pytest.mark.parametrize("parts", [1, 3])
def test_recomputation_gives_the_same_gradients(parts: int) -> None:
    plain, again = stepped(double_task()), stepped(double_task(plan={"recompute": True, "parts": parts}))
    assert furthest(again, plain) < 1e-9


def test_recomputation_computes_again_and_keeps_less() -> None:
    task = double_task(plan={"recompute": True})
    passes = []
    task._encoder.backbone.stem.register_forward_pre_hook(lambda *_: passes.append(1))  # type: ignore[union-attr]
    stepped(task)
    assert len(passes) == 2


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"parts": 2}, "--accumulate 2: .* has batch norms, whose statistics need the whole batch once"),
        ({"recompute": True}, "--gradient-checkpointing: .* has batch norms"),
    ],
    ids=["parts", "recompute"],
)
def test_batch_norms_that_train_are_refused_in_words_and_resting_ones_are_not(
    plan: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        double_task(TinyResNet, plan=plan)
    with pytest.raises(UsageError, match=message):
        double_task(TinyResNet, plan=plan, fine_tune_after_block=3)
    whole = stepped(double_task(TinyResNet, fine_tune_after_block=4))
    assert furthest(stepped(double_task(TinyResNet, plan=plan, fine_tune_after_block=4)), whole) < 1e-9


def test_running_statistics_keep_the_asked_share() -> None:
    task = double_task(TinyResNet, batch_norm_decay=0.75)
    seen = []
    task._encoder.backbone.bn1.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach()))  # type: ignore[union-attr]
    stepped(task)
    mean = seen[0].mean((0, 2, 3))
    assert torch.allclose(task._encoder.backbone.bn1.running_mean, 0.25 * mean, rtol=1e-12)  # type: ignore[union-attr, arg-type]


def expected_loss(logits: torch.Tensor) -> float:
    values = logits.numpy()
    bright = reference.label_loss(values[:, :1], BRIGHT.codes.tolist(), 2, [1.0, 1.0])
    kind = reference.label_loss(values[:, 1:], KIND.codes.tolist(), 3, [1.0] * 3)
    return (bright + kind) / 2


def test_the_loss_and_the_heads_gradient_are_those_of_the_definition() -> None:
    task = double_task()
    with torch.no_grad():
        images = next(task._batches.steps(0, 1)).views
        logits = task._model(images)
        embeddings = task._model.backbone(images)
    found = stepped(task)
    assert float(found["loss"]) == pytest.approx(expected_loss(logits), rel=1e-9)
    codes = torch.from_numpy(KIND.codes)
    known = codes >= 0
    slope = (logits[:, 1:].softmax(1) - torch.nn.functional.one_hot(codes.clamp(min=0), 3)) * known[:, None]
    expected = slope.T @ embeddings / known.sum() / 2
    assert torch.allclose(found["gradient head.weight"][1:], expected, rtol=1e-9, atol=1e-12)


def test_a_label_that_is_missing_gives_its_logits_no_gradient_and_the_row_is_learnt_from_others() -> None:
    """Row 3 has no `bright`, row 1 no `kind`: seen from the pixels, through the network."""
    task = double_task()
    images = next(task._batches.steps(0, 1)).views
    for row, codes in ((3, BRIGHT.codes), (1, KIND.codes)):
        assert codes[row] == -1
        changed = images.clone()
        changed[row] = 1 - changed[row]
        values = []
        for each in (images, changed):
            with torch.no_grad():
                logits = task._model(each)
            values.append((expected_bright(logits), expected_loss(logits)))
        assert (values[0][0] == pytest.approx(values[1][0], rel=1e-12)) == (row == 3)
        assert values[0][1] != pytest.approx(values[1][1], rel=1e-9)


def expected_bright(logits: torch.Tensor) -> float:
    return reference.label_loss(logits.numpy()[:, :1], BRIGHT.codes.tolist(), 2, [1.0, 1.0])


def test_mixup_is_of_images_and_of_labels() -> None:
    task = double_task(mixup=0.4)
    images = next(task._batches.steps(0, 1)).views
    share = share_of(0.4, 0, 0)
    other = images[[row ^ 1 for row in range(IMAGES)]]
    with torch.no_grad():
        logits = task._model(share * images + (1 - share) * other).numpy()
    bright, kind = [], []
    for row in range(IMAGES):
        one, two = (int(BRIGHT.codes[each]) for each in (row, row ^ 1))
        if min(one, two) >= 0:
            bright.append(reference.mixed_binary(logits[row, 0], one, two, share))
        one, two = (int(KIND.codes[each]) for each in (row, row ^ 1))
        if min(one, two) >= 0:
            wanted = share * np.eye(3)[one] + (1 - share) * np.eye(3)[two]
            kind.append(reference.several(logits[row, 1:].tolist(), wanted.tolist()))
    assert float(stepped(task)["loss"]) == pytest.approx((np.mean(bright) + np.mean(kind)) / 2, rel=1e-6)


def _heads(name: str, steps: int, **settings: Any) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]]]:
    """Return the head's kernel after some steps and the gradients that it got."""
    task = double_task(optimizer=name, **settings)
    first = task._model.head.weight.detach().numpy().copy()
    task.begin(0)
    gradients = []
    for step in range(steps):
        task.step(step)
        assert task._model.head.weight.grad is not None
        gradients.append(task._model.head.weight.grad.numpy().copy())
    return first, [*gradients, task._model.head.weight.detach().numpy()]


@pytest.mark.parametrize("name", ["momentum", "adam", "adamw", "lars"])
def test_the_optimiser_is_the_one_that_was_asked_for(name: str) -> None:
    first, (*gradients, found) = _heads(name, 3, weight_decay=0.1)
    learning = rates(0.05, 0, 4)[:3].tolist()
    if name == "lars":
        expected = references.lars(first, gradients, learning, momentum=0.9, decay=0.1)[-1]
    elif name == "momentum":
        expected = references.nesterov(first, gradients, learning, 0.9, 0.1)
    else:
        expected = references.adam(first, gradients, learning, 0.1, apart=name == "adamw", eps_inside=False)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)


def test_norms_and_biases_do_not_decay() -> None:
    """With a gradient of nothing, decay alone would move them."""
    plain, decaying = (stepped(double_task(weight_decay=decay)) for decay in (0.0, 0.5))
    for name in plain:
        if name.startswith("weight"):
            assert torch.equal(plain[name], decaying[name]) == ("norm" in name or "bias" in name), name


def test_the_head_starts_small_or_at_zero_and_the_seed_decides() -> None:
    assert not double_task(zero_init_logits_layer=True)._model.head.weight.any()
    one, same = double_task()._model.head.weight, double_task()._model.head.weight
    assert torch.equal(one, same)
    assert float(one.detach().std()) == pytest.approx(0.01, rel=0.2)


def test_steps_have_the_rates_of_the_schedule(manifest: Manifest) -> None:
    torch.set_default_dtype(torch.float32)
    job = job_of(manifest, learning_rate_scaling="linear", learning_rate=0.64, train_steps=10, warmup_share=0.2)
    rate = _plan(job, pace_of(job)).rate
    np.testing.assert_allclose([rate.at(step) for step in range(10)], rates(0.01, 2, 10), rtol=1e-9)
    job = job_of(manifest, learning_rate=1.0, schedule="steps", decay_at=(0.5, 0.9), warmup_share=0.2, train_steps=10)
    rate = _plan(job, pace_of(job)).rate
    expected = [0.0, 0.5, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.0]  # the rate falls after the step that is named
    np.testing.assert_allclose([rate.at(step) for step in range(11)], expected, rtol=1e-9, atol=1e-15)


def test_images_reach_the_network_in_its_own_range(manifest: Manifest, tmp_path: Path) -> None:
    torch.set_default_dtype(torch.float32)
    from dataclasses import replace

    encoder = tiny()
    encoder.contract = replace(encoder.contract, range=(-1.0, 1.0))
    seen: list[tuple[float, float]] = []
    encoder.backbone.register_forward_pre_hook(lambda _, x: seen.append((float(x[0].min()), float(x[0].max()))))
    trained(job_of(manifest, encoder, train_steps=2), tmp_path / "run")
    assert min(low for low, _ in seen) < -0.5
    assert all(-1 <= low < high <= 1 for low, high in seen)
    assert max(high for _, high in seen) > 0.3


def test_several_labels_are_learnt_from_small_images(manifest: Manifest, tmp_path: Path) -> None:
    torch.set_default_dtype(torch.float32)
    job = job_of(manifest, labels="bright,kind", train_steps=40, optimizer="adam", learning_rate=0.01, crop_area=1.0)
    outcome = trained(job, tmp_path / "run")
    verdicts = finetune_job.verdicts(tmp_path / "run")
    assert outcome.auroc is not None
    assert outcome.auroc > 0.6
    assert max(line["validation_auroc"] for line in verdicts) == outcome.auroc
    assert job.encoder.contract.size == SIZE


@pytest.mark.parametrize("kind", [TinyBiT, TinyResNet], ids=["bit", "resnet"])
def test_bfloat16_is_near_and_the_head_multiplies_in_full(
    manifest: Manifest, tmp_path: Path, kind: type[Staged]
) -> None:
    torch.set_default_dtype(torch.float32)
    from dataclasses import replace

    losses = []
    for precision in ("fp32", "bf16"):
        job = job_of(manifest, tiny(kind), train_steps=2)
        job = replace(job, machine=replace(job.machine, precision=precision))
        trained(job, tmp_path / precision)
        lines = finetune_job.read_metrics(tmp_path / precision)
        losses.append([line["loss"] for line in lines if "loss" in line])
    assert losses[0] != losses[1]
    assert losses[0][0] == pytest.approx(losses[1][0], rel=0.02)
