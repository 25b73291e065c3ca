"""A command line of the official program's fine-tuning becomes one of `remedis finetune` that means the same."""

from __future__ import annotations

import shlex
from pathlib import Path

from remedis.arguments import parse
from remedis.commands.official_settings import finetuning_line
from remedis.options.finetune import FineTune
from remedis.options.run import OfficialRun


def test_the_line_is_understood_and_carries_the_flags_over() -> None:
    flags = [
        "--train_mode=finetune", "--checkpoint=start", "--learning_rate=0.1", "--weight_decay=0",
        "--optimizer=momentum", "--train_batch_size=32", "--train_steps=7", "--fine_tune_after_block=4",
        "--zero_init_logits_layer=True", "--image_size=32", "--model_dir=out", "--dataset=cifar10",
    ]  # fmt: skip
    words = shlex.split(finetuning_line(parse(OfficialRun, "run", flags)))
    assert words[:2] == ["remedis", "finetune"]
    found = parse(FineTune, "finetune", words[2:])
    assert (found.encoder, found.out, found.label) == ("start", Path("out"), ("label",))
    assert (found.learning_rate, found.weight_decay, found.optimizer) == ((0.1,), (0.0,), "momentum")
    assert (found.train_batch_size, found.train_steps, found.image_size) == (32, 7, 32)
    assert (found.fine_tune_after_block, found.zero_init_logits_layer) == (4, True)


def test_what_was_not_given_is_left_to_the_recipe() -> None:
    words = shlex.split(finetuning_line(parse(OfficialRun, "run", ["--train_mode=finetune"])))
    found = parse(FineTune, "finetune", words[2:])
    assert (found.learning_rate, found.optimizer, found.train_steps, found.encoder) == ((), None, None, "CHECKPOINT")
