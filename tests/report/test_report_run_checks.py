"""Each sign of a training that went wrong is seen where it is there, and not where it is not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from remedis.report.run_answer import looked
from remedis.report.run_checks import cautions, checks, duration, most_rank, seconds
from remedis.report.run_folder import Run, open_run
from report_runs import BATCH, LINES, line, look, run_folder

UNFINISHED = {"complete": None, "steps": None, "rejected": None}


def verdicts(run: Run) -> dict[str, tuple[str, str]]:
    looks = [looked(each) for each in run.looks]
    return {check["name"]: (check["verdict"], check["words"]) for check in checks(run, looks)}


def of(folder: Path, lines: list[dict[str, Any]], **values: Any) -> dict[str, tuple[str, str]]:
    return verdicts(open_run(run_folder(folder, lines, **({"card": {}} | values))))


def test_a_run_that_went_well_is_fine_throughout(tmp_path: Path) -> None:
    run = open_run(run_folder(tmp_path, [line(step, loss=4.0) for step in (1, 2)] + [look(2, 0.5)]))
    assert {verdict for verdict, _ in verdicts(run).values()} == {"fine"}
    found = cautions(run, checks(run, []), [looked(look(2, 0.5))], simulated=False)
    assert len(found) == 1
    assert "a test part" in found[0]


def test_a_loss_that_is_not_below_chance_is_seen(tmp_path: Path) -> None:
    chance = math.log(2 * BATCH - 1)
    assert of(tmp_path, [line(1, loss=chance - 0.01)])["loss"][0] == "fine"
    early = of(tmp_path, [line(156, loss=chance + 0.01)])["loss"]  # ten epochs of 15.6 steps
    assert early == (
        "open",
        f"The loss is {chance + 0.01:.3f} at step 156; {chance:.3f} is chance. The warm-up is not over.",
    )
    verdict, words = of(tmp_path, [line(1, loss=chance - 1), line(157, loss=chance + 0.01)])["loss"]
    assert verdict == "look"
    assert f"{chance:.3f} is chance, and it is not below" in words
    # of the official program's loss, chance is twice as high
    assert of(tmp_path, [line(1, loss=chance + 0.01)], given={"recipe": "path"})["loss"][0] == "fine"


def test_a_loss_that_is_not_finite_is_bad(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    log = folder / "metrics.jsonl"
    log.write_text(log.read_text() + '{"step": 1400, "loss": NaN}\n')
    assert verdicts(open_run(folder))["loss"] == (
        "bad", "The loss is no finite number at step 1,400: lower --learning-rate.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ranks", "verdict"),
    [((40, 60), "fine"), ((40, 21), "fine"), ((40, 19), "look"), ((40, 1.0), "bad"), ((40, 2.5), "bad"),
     ((3, 2.6), "fine")],
)  # fmt: skip
def test_a_fall_of_the_rank_is_seen(tmp_path: Path, ranks: tuple[float, float], verdict: str) -> None:
    lines = [line(step, embedding_rank=rank) for step, rank in enumerate(ranks, 1)]
    assert of(tmp_path, lines)["embedding rank"][0] == verdict  # at most 128, of which 2% are 2.56


def test_the_rank_is_held_against_the_most_there_can_be(tmp_path: Path) -> None:
    def most(width: int | None, **values: Any) -> int | None:
        return most_rank(open_run(run_folder(tmp_path, LINES, card={"width": width}, **values)))

    assert most(100) == 100
    assert most(2048) == 2 * BATCH
    assert most(2048, facts={"processes": 4}) == 2 * BATCH // 4
    assert most(2048, given={"train_batch_size": 512}) == 256
    assert most(None) is None
    assert "embedding rank" not in of(tmp_path, LINES, card={"width": None})


def test_an_accuracy_that_fell_is_seen(tmp_path: Path) -> None:
    fell = of(tmp_path, [line(1), look(1, 0.5), look(2, 0.8), look(3, 0.6)])["watched accuracy"]
    assert fell[0] == "look"
    assert "is 0.600 at step 3, below the 0.800 of step 2" in fell[1]
    assert of(tmp_path, [line(1), look(2, 0.7), look(3, 0.6)])["watched accuracy"][0] == "fine"
    assert "watched accuracy" not in of(tmp_path, [line(1)])


def test_images_that_could_not_be_read_are_seen(tmp_path: Path) -> None:
    verdict, words = of(tmp_path, LINES, facts={"rejected": 30})["unreadable images"]
    assert verdict == "look"
    assert words.startswith("30 of 1,000 images (3%) could not be read")
    assert of(tmp_path, LINES)["unreadable images"] == ("fine", "All of 1,000 images could be read.")
    assert of(tmp_path, LINES, facts=UNFINISHED)["unreadable images"][0] == "open"


@pytest.mark.parametrize(("share", "verdict"), [(0.19, "fine"), (0.21, "look")])
def test_a_slow_reader_is_seen(tmp_path: Path, share: float, verdict: str) -> None:
    found = of(tmp_path, [line(step, waiting=share) for step in (1, 2, 3)])["waiting for data"]
    assert found[0] == verdict
    assert ("--workers" in found[1]) is (verdict == "look")


def test_time_is_steps_times_images_over_speed(tmp_path: Path) -> None:
    lines = [line(10, images_per_second=64, waiting=0.5), line(30, images_per_second=32, waiting=0.1), line(31)]
    lines[2].pop("images_per_second")
    whole, waited = seconds(open_run(run_folder(tmp_path, lines)))
    assert whole == pytest.approx(10 * 64 / 64 + 20 * 64 / 32)
    assert waited == pytest.approx(10 * 0.5 + 40 * 0.1)
    assert "waiting for data" not in of(tmp_path, [lines[2]])


def test_a_run_that_is_not_finished_is_said_and_counts_as_a_caution(tmp_path: Path) -> None:
    run = open_run(run_folder(tmp_path, LINES[:3], facts=UNFINISHED))
    checked = checks(run, [])
    found = cautions(run, checked, [], simulated=True)
    assert verdicts(run)["finished"][0] == "look"
    assert found[0].startswith("Not finished: 25 of 313 steps are done; it goes on now")
    assert found[-2] == "The images are simulated; the encoder has learnt nothing of patients."
    assert found[-1].startswith("No watched image has been looked at yet")
    assert any("validation and test" in text for text in cautions(
        open_run(run_folder(tmp_path, LINES, given={"splits": "all"})), [], [], simulated=False,
    ))  # fmt: skip


def test_the_worst_is_said_first(tmp_path: Path) -> None:
    run = open_run(run_folder(tmp_path, [line(200, loss=9.0, embedding_rank=1.0)], card={}, facts=UNFINISHED))
    found = cautions(run, checks(run, []), [], simulated=False)
    for words, place in (("they have collapsed", 0), ("not below", 1), ("Not finished", 2)):
        assert words in found[place]


@pytest.mark.parametrize(
    "values", [{"given": {"knn_epochs": 0}, "facts": UNFINISHED}, {}, {"lines": [{"step": 1, "loss": 4}]}]
)
def test_a_run_that_nobody_watches_says_so(tmp_path: Path, values: dict[str, Any]) -> None:
    run = open_run(run_folder(tmp_path, **({"lines": LINES} | values)))
    assert cautions(run, [], [], simulated=False)[-1].startswith("No label was watched: a falling loss")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (50, "50 s"), (120, "2 min"), (3599, "1 h 00 min"), (11220, "3 h 07 min"), (187200, "2 d 4 h")],
)
def test_a_duration_is_said_in_the_units_of_people(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_lines_that_could_not_be_read_are_said(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    log = folder / "metrics.jsonl"
    log.write_text("{\n" + log.read_text() + '{"st')
    assert verdicts(open_run(folder))["the log"] == (
        "look",
        "1 line of metrics.jsonl could not be read, and left out. The last line of metrics.jsonl was cut short and "
        "is left out.",
    )
