"""A fine-tuning's command line of the official programs trains as it says: settings, what is frozen, what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from remedis import cli
from remedis.arguments import parse
from remedis.commands.official_tuning import tuning, tuning_lines
from remedis.options.finetune import FineTune
from remedis.options.run import OfficialRun

SIMCLR = [  # the linear evaluation of SimCLR's README, steps and folders left out
    "--mode=train_then_eval", "--train_mode=finetune", "--fine_tune_after_block=4", "--zero_init_logits_layer=True",
    "--variable_schema=(?!global_step|(?:.*/|^)Momentum|head)", "--global_bn=False", "--optimizer=momentum",
    "--learning_rate=0.1", "--weight_decay=0.0", "--train_batch_size=512", "--warmup_epochs=0", "--dataset=cifar10",
    "--image_size=32", "--eval_split=test", "--resnet_depth=18", "--use_tpu=False",
]  # fmt: skip


def tuned(*words: str, images: int = 50_000) -> FineTune:
    return tuning(parse(OfficialRun, "run", ["--train_mode=finetune", "--model_dir=out", *words]), images)


def test_simclr_s_linear_evaluation_becomes_these_options() -> None:
    found = tuned(*SIMCLR, "--train_epochs=100")
    wanted: dict[str, Any] = {
        "label": ("label",), "out": Path("out"), "encoder": "resnet18x1-cifar", "learning_rate": (0.1,),
        "weight_decay": (0.0,), "optimizer": "momentum", "train_batch_size": 512, "train_epochs": 100,
        "train_steps": 0, "warmup_share": 0.0, "image_size": 32, "fine_tune_after_block": 4,
        "zero_init_logits_layer": True, "schedule": "cosine", "patience": 0, "crop_area": 0.08, "flip": True,
    }  # fmt: skip
    assert {name: getattr(found, name) for name in wanted} == wanted


def test_without_flags_it_has_the_official_defaults() -> None:
    """Those of run.py of medical-ai-research-foundations."""
    found = tuned()
    assert (found.learning_rate, found.weight_decay, found.optimizer) == ((0.3,), (1e-6,), "lars")
    assert (found.train_batch_size, found.train_epochs, found.warmup_share) == (512, 100, 0.1)
    assert (found.learning_rate_scaling, found.momentum, found.fine_tune_after_block) == ("linear", 0.9, -1)
    assert (found.image_size, found.batch_norm_decay, found.label_fraction) == (224, 0.9, 1.0)


def test_warm_up_is_counted_in_epochs_of_the_training_part() -> None:
    """20 steps of 50 of 100 images are ten epochs, five of them are half; more than all is all."""
    steps = ("--train_steps=20", "--train_batch_size=50")
    assert tuned(*steps, "--warmup_epochs=5", images=100).warmup_share == 0.5
    assert tuned(*steps, "--warmup_epochs=50", images=100).warmup_share == 1.0


@pytest.mark.parametrize(
    ("flags", "network"),
    [
        (("--use_bit=True", "--resnet_depth=101", "--width_multiplier=3"), "bit-r101x3"),
        (("--resnet_depth=34", "--image_size=224"), "resnet34x1"),
        (("--sk_ratio=0.0625", "--resnet_depth=50"), "resnet50x1-sk"),
    ],
)
def test_flags_name_the_network(flags: tuple[str, ...], network: str) -> None:
    assert tuned(*flags).encoder == network


def said(*words: str) -> str:
    return "\n".join(tuning_lines(parse(OfficialRun, "run", ["--train_mode=finetune", *words])))


def test_flags_of_pretraining_are_said_to_do_nothing() -> None:
    lines = said("--temperature=0.5", "--use_blur=False", "--learning_rate=0.1", "--use_tpu=False", "--eval_split=test")
    assert "--use_blur, --temperature: for pretraining, nothing in fine-tuning" in lines or (
        "--temperature, --use_blur: for pretraining, nothing in fine-tuning" in lines
    )
    assert "--use_tpu: for TPUs, nothing here" in lines
    assert "--eval_split: nothing while learning; remedis predict and remedis evaluate" in lines
    assert "--learning_rate" not in lines
    assert "last/" in lines


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of data sets with one of 24 pictures, the bright half labelled 1."""
    place = tmp_path / "data" / "spots"
    place.mkdir(parents=True)
    random = np.random.default_rng(0)
    rows = ["image,label,patient_id,split"]
    for number in range(24):
        bright = number % 2
        pixels = (random.integers(0, 60, (32, 32)) + 120 * bright).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
        rows.append(f"{number}.png,{bright},p{number},{'validation' if number >= 16 else 'train'}")
    (place / "labels.csv").write_text("\n".join(rows))
    return tmp_path / "data"


def test_simclr_s_line_trains_the_head_alone(
    data: Path, small_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [each for each in SIMCLR if not each.startswith(("--dataset", "--train_batch_size", "--resnet_depth"))]
    line += [f"--data_dir={data}", "--dataset=spots", "--train_batch_size=8", "--train_steps=2"]
    line += [f"--checkpoint={small_encoder}", f"--model_dir={tmp_path / 'ft'}"]
    assert cli.run(["run", *line]) == 0
    captured = capsys.readouterr()
    assert "wrote" in captured.out
    assert "--variable_schema: not used" in captured.err
    before, after = (load_file(folder / "model.safetensors") for folder in (small_encoder, tmp_path / "ft" / "last"))
    assert all(np.array_equal(after[name], before[name]) for name in before)
    facts = json.loads((tmp_path / "ft" / "run.json").read_text())
    assert facts["verb"] == "finetune"
    assert (facts["job"]["train_steps"], facts["job"]["optimizer"]) == (2, "momentum")


def test_a_data_set_without_that_label_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = data / "spots" / "labels.csv"
    table.write_text(table.read_text().replace("label", "finding", 1))
    line = ["--train_mode=finetune", f"--data_dir={data}", "--dataset=spots", f"--model_dir={tmp_path / 'ft'}"]
    assert cli.run(["run", *line, "--image_size=32", "--resnet_depth=18"]) == 2
    assert "no column 'label'" in capsys.readouterr().err
    assert not (tmp_path / "ft").exists()


@pytest.mark.parametrize(
    ("flag", "words"),
    [("--ft_proj_selector=1", "--ft_proj_selector is 1, 0 was expected"), ("--mode=eval", "--mode=eval: to evaluate")],
)
def test_what_is_not_in_here_is_refused_before_the_data_are_looked_for(
    flag: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["--train_mode=finetune", f"--data_dir={tmp_path / 'none'}", f"--model_dir={tmp_path / 'ft'}", flag]
    assert cli.run(["run", *line]) == 2
    assert words in capsys.readouterr().err
