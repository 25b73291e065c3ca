"""The flags of Google's programs: every one is known, with its official type and default, and has a meaning here."""

from __future__ import annotations

import dataclasses
import re
import typing
from pathlib import Path
from typing import Any

import pytest

from remedis import arguments
from remedis.commands.official_flags import MEANINGS, head_layers, lines, official, value
from remedis.errors import UsageError
from remedis.options.pretrain import Pretrain
from remedis.options.run import OfficialRun

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "run-the-official-command-lines.md"

# run.py of google-research/medical-ai-research-foundations, in its order
REMEDIS: dict[str, tuple[type, Any]] = {
    "learning_rate": (float, 0.3),
    "warmup_epochs": (float, 10.0),
    "weight_decay": (float, 1e-6),
    "batch_norm_decay": (float, 0.9),
    "train_batch_size": (int, 512),
    "train_split": (str, "train"),
    "train_epochs": (int, 100),
    "train_steps": (int, 0),
    "eval_batch_size": (int, 256),
    "train_summary_steps": (int, 100),
    "checkpoint_epochs": (int, 1),
    "checkpoint_steps": (int, 0),
    "eval_split": (str, "validation"),
    "dataset": (str, "cifar10"),
    "cache_dataset": (bool, False),
    "mode": (str, "train"),
    "train_mode": (str, "pretrain"),
    "checkpoint": (str, None),
    "variable_schema": (str, "?!global_step"),
    "zero_init_logits_layer": (bool, False),
    "fine_tune_after_block": (int, -1),
    "tf_runner": (str, None),
    "model_dir": (str, None),
    "data_dir": (str, None),
    "use_tpu": (bool, True),
    "tpu_name": (str, None),
    "tpu_zone": (str, None),
    "gcp_project": (str, None),
    "optimizer": (str, "lars"),
    "momentum": (float, 0.9),
    "eval_name": (str, None),
    "keep_checkpoint_max": (int, 5),
    "keep_hub_module_max": (int, 1),
    "temperature": (float, 0.1),
    "hidden_norm": (bool, True),
    "head_proj_mode": (str, "nonlinear"),
    "head_proj_dim": (int, 128),
    "num_nlh_layers": (int, 1),
    "global_bn": (bool, True),
    "width_multiplier": (int, 1),
    "resnet_depth": (int, 50),
    "use_bit": (bool, False),
    "image_size": (int, 224),
    "color_jitter_strength": (float, 1.0),
    "use_elastic_deform": (bool, False),
    "equalize_histogram": (bool, False),
    "use_blur": (bool, True),
    "rotation_range": (float, 0.0),
    "max_contrast_distort": (float, 0.8),
    "max_brightness_distort": (float, 0.8),
    "imagenet_ckpt": (str, None),
    "rescale_at_init": (float, 1.0),
    "verbose": (bool, True),
    "tf_data_service_address": (str, ""),
    "multi_instance": (bool, False),
}
# what run.py and tf2/run.py of google-research/simclr have beside these
SIMCLR: dict[str, tuple[type, Any]] = {
    "learning_rate_scaling": (str, "linear"),
    "eval_steps": (int, 0),
    "lineareval_while_pretraining": (bool, True),
    "master": (str, None),
    "proj_head_mode": (str, "nonlinear"),
    "proj_out_dim": (int, 128),
    "num_proj_layers": (int, 3),
    "ft_proj_selector": (int, 0),
    "sk_ratio": (float, 0.0),
    "se_ratio": (float, 0.0),
}
OFFICIAL = {**REMEDIS, **SIMCLR}
# DEFINE_enum of the same files
WORDS = {
    "mode": ("train", "eval", "train_then_eval"),
    "train_mode": ("pretrain", "finetune"),
    "optimizer": ("momentum", "adam", "lars"),
    "head_proj_mode": ("none", "linear", "nonlinear"),
    "proj_head_mode": ("none", "linear", "nonlinear"),
    "learning_rate_scaling": ("linear", "sqrt"),
}


def parse(*words: str) -> OfficialRun:
    return arguments.parse(OfficialRun, "run", list(words))


def test_the_flags_are_the_official_ones() -> None:
    assert len(REMEDIS) == 55
    assert {field.name for field in dataclasses.fields(OfficialRun)} == set(OFFICIAL) == set(MEANINGS)


@pytest.mark.parametrize("name", OFFICIAL)
def test_type_and_default_are_the_official_ones(name: str) -> None:
    kind, default = OFFICIAL[name]
    assert official(name) == value(OfficialRun(), name) == default
    assert type(official(name)) in (kind, type(None))
    hint, absent = typing.get_args(typing.get_type_hints(OfficialRun)[name])
    assert absent is type(None)
    if name in WORDS:
        assert sorted(typing.get_args(hint)) == sorted(WORDS[name])
    else:
        assert hint is kind


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_help_ends_with_the_official_default(name: str) -> None:
    kind, default = OFFICIAL[name]
    text = arguments.field_docs(OfficialRun)[name]
    shown = text.rpartition("; ")[2].removesuffix(".")
    if kind in (int, float):
        assert kind(shown) == default
    elif name == "data_dir":  # TensorFlow Datasets' own default
        assert "~/tensorflow_datasets" in text
    else:
        assert shown == {None: "none", "": "empty"}.get(default, str(default))


@pytest.mark.parametrize("name", OFFICIAL)
def test_every_flag_has_a_meaning(name: str) -> None:
    meaning = MEANINGS[name]
    assert meaning.becomes or meaning.said
    assert meaning.becomes in {"", "pretrain"} | {field.name for field in dataclasses.fields(Pretrain)}


@pytest.mark.parametrize("form", ["--{}={}", "-{}={}", "--{} {}"])
def test_every_flag_is_read_as_absl_reads_it(form: str) -> None:
    given = {name: default if default not in (None, "") else "x" for name, (_, default) in OFFICIAL.items()}
    found = parse(*(word for name, value in given.items() for word in form.format(name, value).split()))
    assert dataclasses.asdict(found) == given
    assert {name: type(getattr(found, name)) for name in OFFICIAL} == {
        name: kind for name, (kind, _) in OFFICIAL.items()
    }


SWITCHES = [name for name, (kind, _) in OFFICIAL.items() if kind is bool]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        *((form, True) for form in ("--{}", "-{}", "--{}=t", "--{}=1", "--{}=TRUE")),
        *((form, False) for form in ("--no{}", "-no{}", "--{}=f", "--{}=0", "--{}=False")),
    ],
)
def test_switches_are_read_as_absl_reads_them(form: str, expected: bool) -> None:
    """absl-py: `--flag`, `--noflag`, and true, t, 1, false, f, 0 in any case after an equals sign."""
    found = parse(*(form.format(name) for name in SWITCHES))
    assert {getattr(found, name) for name in SWITCHES} == {expected}


def test_a_switch_does_not_swallow_the_next_flag() -> None:
    found = parse("--use_blur", "-train_steps", "3", "--noglobal_bn", "-fine_tune_after_block", "-1")
    assert (found.use_blur, found.train_steps, found.global_bn, found.fine_tune_after_block) == (True, 3, False, -1)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--trian_steps=3", "there is no option --trian-steps, did you mean --train-steps?"),
        ("-trian_steps=3", "there is no option --trian-steps, did you mean --train-steps?"),
        ("--nouse_blurr", "did you mean --use-blur?"),
        ("--notemperature", "there is no option --notemperature, did you mean --temperature?"),
        ("--mode=evaluate", "invalid choice 'evaluate' for argument '--mode'"),
        ("--use_blur=2", "--use-blur is '2', True or False was expected"),
        ("--train_steps=1.5", "--train-steps"),
        ("--train_steps", "--train-steps needs a value"),
    ],
)
def test_mistakes_name_the_flag(word: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        parse(word)


def test_nothing_is_said_of_flags_that_were_not_given() -> None:
    assert lines(OfficialRun()) == []


SETTINGS = ["--train_batch_size=8", "--temperature=0.5", "--dataset=cifar10", "--model_dir=x", "--mode=train"]


def test_nothing_is_said_of_what_is_the_same_here() -> None:
    assert lines(parse(*SETTINGS, "--train_mode=pretrain", "--resnet_depth=18", "--use_blur=False")) == []


def test_flags_of_a_tpu_are_said_in_one_line() -> None:
    flags = ["use_tpu", "tpu_name", "tpu_zone", "gcp_project", "tf_runner", "master"]
    found = lines(parse(*(f"--{name}=1" for name in flags)))
    assert len(found) == 1
    assert all(f"--{name}" in found[0] for name in flags)
    assert "nothing here" in found[0]


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--imagenet_ckpt=x", "read by nobody, there nor here"),
        ("--tf_data_service_address=x", "read by nobody, there nor here"),
        ("--use_tpu=False", "for TPUs, nothing here"),
        ("--variable_schema=x", "not used"),
        ("--zero_init_logits_layer", "for fine-tuning"),
        ("--fine_tune_after_block=4", "for fine-tuning"),
        ("--ft_proj_selector=1", "for fine-tuning"),
        ("--eval_batch_size=256", "nothing here"),
        ("--eval_steps=0", "nothing here"),
        ("--eval_name=x", "metrics.jsonl"),
        ("--keep_hub_module_max=1", "no hub module is written"),
        ("--rescale_at_init=1", "kernels start as they are"),
        ("--noverbose", "--quiet"),
        ("--mode=train_then_eval", "metrics.jsonl"),
        ("--use_bit", "random weights"),
        ("--rotation_range=45", "views are rotated"),
        ("--use_elastic_deform", "views are deformed"),
        ("--multi_instance", "two images of a patient make a pair"),
        ("--batch_norm_decay=0.5", "holds for every batch norm"),
        ("--noglobal_bn", "holds for every batch norm"),
        ("--nolineareval_while_pretraining", "labels are not looked at"),
    ],
)
def test_a_flag_that_means_something_else_here_says_what(flag: str, words: str) -> None:
    found = lines(parse(flag, "--num_proj_layers=2"))
    assert len(found) == 1
    assert found[0].startswith(flag.partition("=")[0].replace("--no", "--"))
    assert words in found[0]


@pytest.mark.parametrize("flag", ["--rotation_range=0", "--nouse_elastic_deform", "--nomulti_instance", "--nouse_bit"])
def test_what_is_not_asked_for_is_not_explained(flag: str) -> None:
    assert lines(parse(flag)) == []


def test_a_line_with_a_flag_of_simclr_has_simclr_s_head_and_says_so() -> None:
    assert head_layers(parse("--learning_rate_scaling=sqrt")) == 3
    assert any("three layers" in line for line in lines(parse("--sk_ratio=0")))
    for words in (
        ["--num_proj_layers=3"],
        ["--sk_ratio=0", "--num_nlh_layers=1"],
        ["--master=x"],
        ["--proj_head_mode=none"],
    ):
        assert not any("three layers" in line for line in lines(parse(*words)))


def test_with_a_checkpoint_the_network_s_flags_are_said_to_be_unused() -> None:
    found = lines(parse("--checkpoint=enc", "--resnet_depth=50", "--use_bit"))
    assert found == ["--resnet_depth, --use_bit: not used, the network is the checkpoint's"]


def test_the_guide_has_every_flag() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert [name for name in OFFICIAL if f"`{name}`" not in text] == []
