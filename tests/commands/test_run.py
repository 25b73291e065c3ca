"""`remedis run`: the official command lines become the right pretraining, without what is wrong in that program."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from official_runs import Spy, a_folder, parse, spy_on_training, trained_on, wished
from remedis import cli
from remedis.commands import pretrain
from remedis.commands import run as command
from remedis.commands.official_settings import understood
from remedis.console import QUIET
from remedis.errors import RemedisError, UsageError
from remedis.models.architectures import parse as parse_network
from remedis.models.load import load
from remedis.options.pretrain import Pretrain
from remedis.options.run import OfficialRun
from remedis.recipes.pretraining import Pretraining, resolve

README = [  # the example of the official README
    "--train_mode=pretrain", "--train_batch_size=512", "--train_epochs=1000", "--learning_rate=1.0",
    "--weight_decay=1e-4", "--temperature=0.5", "--dataset=cifar10", "--image_size=32", "--eval_split=test",
    "--resnet_depth=18", "--use_blur=False", "--color_jitter_strength=0.5", "--model_dir=/tmp/simclr_test",
    "--use_tpu=False",
]  # fmt: skip


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return spy_on_training(monkeypatch)


# ---------------------------------------------------------------------------------------- the settings


def test_the_readme_s_command_becomes_these_options() -> None:
    assert understood(parse(*README)) == Pretrain(
        manifest=Path(),
        out=Path("/tmp/simclr_test"),
        recipe=None,
        splits="train",
        eval_split="test",
        label=None,
        encoder=None,
        train_batch_size=512,
        train_epochs=1000,
        train_steps=0,
        learning_rate=1.0,
        learning_rate_scaling="linear",
        warmup_epochs=10.0,
        weight_decay=1e-4,
        optimizer="lars",
        momentum=0.9,
        exclude="norms-and-biases",
        temperature=0.5,
        hidden_norm=True,
        loss_scale=2.0,
        head_proj_mode="nonlinear",
        head_proj_dim=128,
        num_nlh_layers=1,
        multi_instance=False,
        image_size=32,
        color_jitter_strength=0.5,
        max_brightness_distort=0.8,
        max_contrast_distort=0.8,
        use_blur=False,
        flip=True,
        rotation_range=0.0,
        use_elastic_deform=False,
        equalize_histogram=False,
        crop_law="tensorflow",
        interpolation="bicubic",
        use_bit=False,
        resnet_depth=18,
        width_multiplier=1,
        batch_norm_decay=0.9,
        global_bn=True,
        checkpoint_epochs=1,
        checkpoint_steps=0,
        keep_checkpoint_max=5,
        train_summary_steps=100,
        cache_dataset=False,
    )


def test_no_setting_is_left_to_a_recipe_or_to_remedis() -> None:
    found = asdict(wished("--train_epochs=1"))
    assert [field.name for field in fields(Pretraining) if found[field.name] is None] == []
    assert found["warmup_epochs"] == 10  # also of one epoch, as there


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--head_proj_mode=linear", {"head_proj_mode": "linear", "num_nlh_layers": 1}),
        ("--head_proj_mode=none", {"head_proj_mode": "none"}),
        ("--num_nlh_layers=2 --head_proj_dim=64", {"num_nlh_layers": 2, "head_proj_dim": 64}),
        ("--num_proj_layers=3", {"head_proj_mode": "v2", "num_nlh_layers": 1, "head_proj_dim": 128}),
        ("--num_proj_layers=2", {"head_proj_mode": "nonlinear", "num_nlh_layers": 1}),
        ("--num_proj_layers=1", {"head_proj_mode": "linear"}),
        ("--proj_out_dim=64", {"head_proj_mode": "v2", "head_proj_dim": 64}),
        ("--proj_head_mode=linear --num_proj_layers=3", {"head_proj_mode": "linear"}),
        ("--proj_head_mode=none", {"head_proj_mode": "none"}),
        ("--learning_rate_scaling=sqrt", {"learning_rate_scaling": "sqrt", "head_proj_mode": "v2"}),
        ("--master=local", {"head_proj_mode": "nonlinear"}),
        ("--use_bit --width_multiplier=2", {"use_bit": True, "encoder": None, "width_multiplier": 2}),
        ("--sk_ratio=0.0625", {"encoder": "resnet50x1-sk"}),
        ("--sk_ratio=.0625 --resnet_depth=152 --width_multiplier=3", {"encoder": "resnet152x3-sk"}),
        ("--sk_ratio=0.0625 --image_size=32", {"encoder": "resnet50x1-sk-cifar"}),
        ("--sk_ratio=0 --se_ratio=0.0", {"encoder": None}),
        ("--eval_split=val", {"eval_split": "validation"}),
        ("--nolineareval_while_pretraining", {"label": ""}),
        ("--mode=train_then_eval", {"out": Path("run")}),
        ("--rescale_at_init=0.5", {"encoder": None}),  # multiplies what a checkpoint brought: there is none
    ],
)  # fmt: skip
def test_flags_become_options(words: str, expected: dict[str, Any]) -> None:
    found = wished(*words.split())
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.encoder is None or parse_network(found.encoder) is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--mode=eval", "--mode=eval: to evaluate alone is not in this version"),
        ("--train_split=train+validation", "--train_split is 'train+validation', 'train' was expected"),
        ("--train_split=train[:10%]", "--train_split is 'train[:10%]', 'train' was expected"),
        ("--eval_split=train", "--eval_split is 'train'"),
        ("--eval_split=tset", "--eval_split is 'tset', did you mean test?"),
        ("--sk_ratio=0.25", "--sk_ratio is 0.25, 0 or 0.0625 was expected"),
        ("--sk_ratio=-1", "--sk_ratio is -1.0, 0 or 0.0625 was expected"),
        ("--sk_ratio=0.0625 --resnet_depth=18", "--resnet_depth=18; selective kernels need a depth of 50 or more"),
        ("--sk_ratio=0.0625 --use_bit", "a BiT network; selective kernels"),
        ("--se_ratio=0.25", "--se_ratio is 0.25, 0 was expected"),
        ("--num_proj_layers=4", "--num_proj_layers is 4, 1, 2 or 3 was expected"),
        ("--num_proj_layers=0", "--num_proj_layers is 0, 1, 2 or 3 was expected"),
        ("--num_proj_layers=2 --num_nlh_layers=1", "--num_nlh_layers and --num_proj_layers are two programs' names"),
        ("--proj_out_dim=2 --head_proj_dim=2", "--head_proj_dim and --proj_out_dim are two programs' names"),
        ("--proj_head_mode=none --head_proj_mode=none", "--head_proj_mode and --proj_head_mode are two"),
        ("--model_dir=gs://bucket/run", "--model_dir is 'gs://bucket/run', a folder of this machine was expected"),
        ("--data_dir=gs://bucket", "--data_dir is 'gs://bucket', a folder of this machine was expected"),
        ("--model_dir=", "--model_dir is needed"),
        ("--checkpoint=resnet50", "--checkpoint resnet50 names a network, which has no weights"),
        ("--checkpoint=no-such-folder", "no-such-folder"),
    ],
)  # fmt: skip
def test_what_is_not_in_this_version_is_refused_in_words(
    words: str, message: str, spy: Spy, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    a_folder(tmp_path, "cifar10", 2, labels=False)
    given = [f"--data_dir={tmp_path}", "--model_dir=run", *words.split()]
    assert cli.run(["run", *given]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert spy.calls == []


def test_the_run_s_folder_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["run", *README[:-2]]) == 2
    assert "--model_dir is needed" in capsys.readouterr().err


# -------------------------------------------------------------------------------------- the checkpoint


def test_a_checkpoint_of_ours_is_where_the_training_starts(small_encoder: Path, tmp_path: Path) -> None:
    assert wished(f"--checkpoint={small_encoder}").encoder == str(small_encoder)
    run = tmp_path / "run"
    run.mkdir()
    (run / "last").symlink_to(small_encoder)
    assert wished(f"--checkpoint={run}").encoder == str(run / "last")


def test_a_checkpoint_of_tensorflow_is_told_from_ours_and_the_way_is_named(tmp_path: Path) -> None:
    for name in ("model.ckpt-9.index", "model.ckpt-9.data-00000-of-00001", "checkpoint"):
        (tmp_path / name).touch()
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "saved_model.pb").touch()
    for path in (tmp_path, tmp_path / "model.ckpt-9"):
        with pytest.raises(RemedisError, match=r"is a TensorFlow checkpoint.*models convert MODEL_DIR/hub/STEP"):
            wished(f"--checkpoint={path}")
    with pytest.raises(RemedisError, match=rf"remedis models convert {re.escape(str(tmp_path / 'hub'))} --out"):
        wished(f"--checkpoint={tmp_path / 'hub'}")


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RemedisError, match=r"there is no config\.json in it"):
        wished(f"--checkpoint={tmp_path}")


def test_kernels_of_a_checkpoint_are_not_rescaled_in_silence(small_encoder: Path) -> None:
    with pytest.raises(UsageError, match=r"--rescale_at_init is 0\.5, 1 was expected"):
        wished(f"--checkpoint={small_encoder}", "--rescale_at_init=0.5")


# ----------------------------------------------------------------- what the official program has wrong


ABSENT = ("tensorflow", "tensorflow_datasets", "tensorflow_estimator", "tensorflow_addons", "tensorflow_hub")


def test_f1_f29_a_line_trains_without_tensorflow_and_without_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The official program fails to import, and needs a feature `label` for a pretraining that has no use of it."""
    for name in ABSENT:
        monkeypatch.setitem(sys.modules, name, None)  # an import raises
    monkeypatch.setattr(pretrain, "workers_of", lambda wished: 0)  # no process to start: quicker
    a_folder(tmp_path, "cifar10", labels=False)
    tiny = [f"--data_dir={tmp_path}", "--train_batch_size=8", "--train_steps=1", "--train_summary_steps=0"]
    line = ["run", *README[:-2], *tiny, f"--model_dir={tmp_path / 'run'}", "--use_tpu=False"]
    assert cli.run(line) == 0
    assert cli.run(line) == 0  # the same line again finds the run done: the same data and settings
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    job = facts["job"]
    assert (job["network"], job["images"], job["warmup_epochs"], job["loss_scale"]) == ("resnet18-cifar", 8, 10, 2)
    assert facts["complete"]
    first = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert first["loss"] > 0
    assert "label_loss" not in first
    assert "--use_tpu: for TPUs, nothing here" in capsys.readouterr().err
    assert load(tmp_path / "run" / "last").width == 512


def test_f3_mode_and_multi_instance_are_not_dropped(spy: Spy, tmp_path: Path) -> None:
    """The official program's `--multi_instance` changes nothing in training and breaks `--mode=eval`."""
    a_folder(tmp_path, "skin")
    words = ["--multi_instance=True", "--mode=train_then_eval", "--dataset=skin", f"--data_dir={tmp_path}"]
    assert cli.run(["run", *words, "--model_dir=run"]) == 0
    assert spy.calls[0][1].multi_instance is True
    assert settings_of(spy.calls[0][1]).multi_instance is True


def settings_of(options: Pretrain) -> Any:
    return resolve(options.recipe, asdict(options))


@pytest.mark.parametrize(
    ("fault", "flag", "expected"),
    [
        ("F2", "--use_elastic_deform", True),
        ("F4", "--rotation_range=45", 45.0),
        ("F5", "--use_bit", True),
        ("F7", "--batch_norm_decay=0.5", 0.5),
        ("F7", "--noglobal_bn", False),
        ("F13", "--equalize_histogram", True),
    ],
)
def test_flags_that_fail_or_do_nothing_there_reach_the_settings(fault: str, flag: str, expected: object) -> None:
    name = flag.partition("=")[0].removeprefix("--").removeprefix("no")
    assert getattr(settings_of(wished(flag)), name) == expected


def test_f9_the_default_pattern_is_no_pattern_and_is_never_compiled(small_encoder: Path) -> None:
    with pytest.raises(re.error):
        re.compile("?!global_step")
    assert wished(f"--checkpoint={small_encoder}", "--variable_schema=?!global_step").encoder == str(small_encoder)
    assert wished(f"--checkpoint={small_encoder}").encoder == str(small_encoder)


def test_f16_labels_of_any_kind_are_taken(spy: Spy, tmp_path: Path) -> None:
    """The official program takes one class a picture, by number, and nothing else."""
    folder = a_folder(tmp_path, "chest", 3, labels=False)
    (folder / "labels.csv").write_text(
        "image,effusion,oedema,age\nimages/000.png,1,0,71\nimages/001.png,,1,8\nimages/002.png,0,1,\n"
    )
    manifest = trained_on(spy, tmp_path, "chest")
    assert manifest.table["effusion"].to_pylist() == [1, None, 0]
    assert manifest.table["oedema"].to_pylist() == [0, 1, 1]


def test_the_default_part_to_watch_may_be_absent(spy: Spy, tmp_path: Path) -> None:
    """`--eval_split` defaults to validation, which the official default data set has not: it ends with a KeyError."""
    a_folder(tmp_path, "cifar10", labels=False)
    trained_on(spy, tmp_path, "cifar10")
    assert spy.calls[0][1].eval_split == "validation"


def test_paths_from_here_and_a_call_from_python(spy: Spy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_folder(tmp_path, "skin")
    monkeypatch.chdir(tmp_path)
    assert command.run(OfficialRun(dataset="skin", data_dir=".", model_dir="run"), QUIET).text == "trained"
    ((manifest, options),) = spy.calls
    assert manifest.root == tmp_path / "skin"
    assert (options.manifest, options.out) == (Path("skin"), Path("run"))
