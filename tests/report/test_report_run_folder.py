"""What a run's folder holds is read as it is: cut lines, lines that are none, a picture that is none, other folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remedis.errors import InputError
from remedis.report.run_folder import MOST_VIEWS, is_run, open_run
from report_runs import LINES, LOOKS, line, look, png, run_folder


def test_lines_and_looks_are_told_apart(tmp_path: Path) -> None:
    run = open_run(run_folder(tmp_path))
    assert run.lines == LINES
    assert run.looks == LOOKS
    assert (run.damaged, run.cut, run.not_finite, run.done, run.complete) == (0, False, [], 313, True)
    assert run.card["width"] == 128


def test_a_last_line_that_was_cut_is_left_out(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    log = folder / "metrics.jsonl"
    log.write_text(log.read_text() + '{"step": 400, "loss": 4.')
    run = open_run(folder)
    assert (run.cut, run.damaged, len(run.lines)) == (True, 0, len(LINES))
    log.write_bytes(log.read_bytes() + b"\xc3")  # cut inside a letter
    assert open_run(folder).cut


@pytest.mark.parametrize(
    "text", ["{", "null", "[1, 2]", '"a"', '{"loss": 1}', '{"step": "x"}', '{"step": true}', "\x00"]
)
def test_lines_that_are_none_are_counted(tmp_path: Path, text: str) -> None:
    folder = run_folder(tmp_path, [line(2)])
    log = folder / "metrics.jsonl"
    log.write_text(f"{text}\n\n{log.read_text()}{text}\n")
    run = open_run(folder)
    assert (run.damaged, run.cut, len(run.lines)) == (2, False, 1)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "null", '"high"', "true"])
def test_a_loss_that_is_no_number_is_remembered(tmp_path: Path, value: str) -> None:
    folder = run_folder(tmp_path, [line(1)])
    log = folder / "metrics.jsonl"
    log.write_text(log.read_text() + f'{{"step": 7, "loss": {value}, "waiting": NaN}}\n')
    run = open_run(folder)
    assert run.not_finite == [7]
    assert [each["step"] for each in run.lines] == [1]


@pytest.mark.parametrize("bad", [{"n": 0}, {"n": None}, {"n": "many"}, {"knn_accuracy": 1.5}, {"knn_accuracy": -0.1}])
def test_a_look_without_a_share_of_images_is_none(tmp_path: Path, bad: dict[str, Any]) -> None:
    run = open_run(run_folder(tmp_path, [line(1), look(1, 0.5) | bad, look(2, 0.25)]))
    assert [each["step"] for each in run.looks] == [2]


def test_steps_stand_in_their_order(tmp_path: Path) -> None:
    run = open_run(run_folder(tmp_path, [line(9), line(3), look(5, 0.1), look(4, 0.2)], facts={"steps": None}))
    assert [each["step"] for each in run.lines] == [3, 9]
    assert [each["step"] for each in run.looks] == [4, 5]
    assert run.done == 9


def test_a_folder_without_log_card_or_picture_opens(tmp_path: Path) -> None:
    run = open_run(run_folder(tmp_path, [], facts={"complete": None}, views=None))
    assert (run.lines, run.looks, run.card, run.views, run.done) == ([], [], {}, None, 0)
    assert "there is no views.png" in run.no_views


def test_of_a_picture_only_a_png_of_a_mebibyte_is_taken(tmp_path: Path) -> None:
    assert open_run(run_folder(tmp_path)).views == png()
    run = open_run(run_folder(tmp_path, views=b"<svg onload=x>"))
    assert (run.views, run.no_views) == (None, "views.png is no PNG picture")
    most = png() + bytes(MOST_VIEWS - len(png()))
    assert open_run(run_folder(tmp_path, views=most)).views == most
    assert "has 1.0 MiB, at most 1 MiB" in open_run(run_folder(tmp_path, views=most + b"x")).no_views


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"remedis": []}', '{"remedis": null}'])
def test_a_damaged_card_is_no_card(tmp_path: Path, text: str) -> None:
    folder = run_folder(tmp_path)
    (folder / "last" / "config.json").write_text(text)
    assert open_run(folder).card == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "JSON was expected"), ("[]", "'job' was expected"), ("{}", "'job' was expected"),
        ('{"job": {}}', "'train_batch_size' was expected"), ('{"job": 3}', "'job' was expected"),
    ],
)  # fmt: skip
def test_a_damaged_run_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "run.json").write_text(text)
    assert is_run(tmp_path)
    with pytest.raises(InputError, match=words):
        open_run(tmp_path)


def test_a_run_of_another_verb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the run of remedis pretrain was expected, this is one of 'finetune'"):
        open_run(run_folder(tmp_path, facts={"verb": "finetune"}))


def test_a_run_is_told_by_its_file(tmp_path: Path) -> None:
    assert not is_run(tmp_path)
    (tmp_path / "run.json").mkdir()
    assert not is_run(tmp_path)
    assert json.loads((run_folder(tmp_path / "r") / "run.json").read_text())["verb"] == "pretrain"
