"""Whether a pretraining can be trusted: signs of collapse, of a slow reader, of a run that was not finished."""

from __future__ import annotations

from typing import Any

from remedis.report.numbers import counted, figure, share
from remedis.report.run_answer import chances, state
from remedis.report.run_folder import Run

Plain = dict[str, Any]
RANK_ROWS = 256  # of a batch, whose rank is measured
COLLAPSED, NARROWED = 0.02, 0.5
SLOW = 0.2  # of the time spent waiting for data
GOOD, OPEN, LOOK, BAD = "fine", "open", "look", "bad"
_LOOKED_AT = (
    "Accuracies were looked at while it trained, and nothing was chosen by them; the figure to publish comes from a "
    "test part (remedis probe)."
)
_NOT_YET = "No watched image has been looked at yet: a falling loss does not say what the embeddings are good for."
_UNLABELLED = "No label was watched: a falling loss does not say what the embeddings are good for (remedis probe does)."


def most_rank(run: Run) -> int | None:
    """Return the largest rank that the measured embeddings could have: 256 rows, the process's views, the width."""
    width = run.card.get("width")
    views = 2 * int(run.job["train_batch_size"]) // max(1, int(run.facts.get("processes") or 1))
    return min(RANK_ROWS, views, width) if isinstance(width, int) else None


def seconds(run: Run) -> tuple[float, float]:
    """Return the seconds that the written steps took, looks at watched rows included, and those spent waiting."""
    whole = waited = 0.0
    before = 0
    for line in run.lines:
        steps, before = line["step"] - before, line["step"]
        if line.get("images_per_second", 0) > 0:
            took = steps * run.job["train_batch_size"] / line["images_per_second"]
            whole += took
            waited += took * line.get("waiting", 0.0)
    return whole, waited


def checks(run: Run, looks: list[Plain]) -> list[Plain]:
    """Return what was looked at: name, verdict (`fine`, `open`: not known yet, `look`, `bad`) and a sentence.

    Args:
        run: The opened run.
        looks: From `run_answer.looked`.
    """
    found = [
        ("finished", *_finished(run)),
        ("loss", *_loss(run)),
        ("embedding rank", *_rank(run)),
        ("watched accuracy", *_watched(run, looks)),
        ("unreadable images", *_rejected(run)),
        ("waiting for data", *_waiting(run)),
        ("the log", *_log(run)),
    ]
    return [{"name": name, "verdict": verdict, "words": words} for name, verdict, words in found if words]


def cautions(run: Run, checked: list[Plain], looks: list[Plain], *, simulated: bool) -> list[str]:
    """Return what a reader must know as sentences, the most weighty first."""
    found = [check["words"] for verdict in (BAD, LOOK) for check in checked if check["verdict"] == verdict]
    found.sort(key=lambda words: words == _finished(run)[1])  # the answer says it already
    if run.job.get("splits") == "all":
        found.append("Rows of the parts validation and test were trained on too: figures on them are no test.")
    if simulated:
        found.append("The images are simulated; the encoder has learnt nothing of patients.")
    is_watched = not run.complete and bool(run.options.get("knn_epochs")) and any("label_loss" in x for x in run.lines)
    found.append(_LOOKED_AT if looks else _NOT_YET if is_watched else _UNLABELLED)
    return found


def _finished(run: Run) -> tuple[str, str]:
    if run.complete:
        return GOOD, f"The run came to its end after {run.done:,} steps."
    words = state(run)
    return LOOK, f"{words[0].upper()}{words[1:]}; it goes on now, or the same command makes it go on."


def _loss(run: Run) -> tuple[str, str]:
    if run.not_finite:
        return BAD, f"The loss is no finite number at step {run.not_finite[0]:,}: lower --learning-rate."
    if not run.lines:
        return OPEN, "There is no loss yet."
    line, chance = run.lines[-1], chances(run.job)["loss"]
    said = f"The loss is {figure(line['loss'])} at step {line['step']:,}; {figure(chance)} is chance"
    if line["loss"] >= chance and line["step"] <= _warm_up(run):
        return OPEN, f"{said}. The warm-up is not over."
    if line["loss"] >= chance:
        return LOOK, f"{said}, and it is not below: views of one image are not yet told from those of others."
    return GOOD, f"{said}. It is finite in all {len(run.lines):,} lines."


def _warm_up(run: Run) -> float:
    """Return the last step of the warm-up; 0 where the folder does not tell."""
    return (run.steps_an_epoch or 0.0) * float(run.job.get("warmup_epochs") or 0.0)


def _rank(run: Run) -> tuple[str, str]:
    ranks = [(line["step"], line["embedding_rank"]) for line in run.lines if "embedding_rank" in line]
    most = most_rank(run)
    if not ranks or most is None:
        return GOOD, ""
    step, last = ranks[-1]
    best_step, best = max(ranks, key=lambda pair: pair[1])
    said = f"Embeddings span {last:.1f} directions at step {step:,} (effective rank, at most {most:,})"
    if last < max(COLLAPSED * most, 2.0):
        return BAD, f"{said}: they have collapsed, or nearly so. Lower --learning-rate or raise --temperature."
    if last < NARROWED * best:
        return LOOK, f"{said}, down from {best:.1f} at step {best_step:,}: less than half of them are left."
    return GOOD, f"{said}; no sign of collapse."


def _watched(run: Run, looks: list[Plain]) -> tuple[str, str]:
    found = [(look["step"], look["knn_accuracy"]) for look in looks if "knn_accuracy" in look]
    if not found:
        return GOOD, ""
    (step, last), (best_step, best) = found[-1], max(found, key=lambda pair: float(pair[1]["value"]))
    if last["high"] < best["low"]:
        return LOOK, (
            f"The kNN accuracy is {figure(last['value'])} at step {step:,}, below the {figure(best['value'])} of step "
            f"{best_step:,}, and their intervals do not meet: it fell while the training went on."
        )
    return GOOD, f"{len(found):,} {'look' if len(found) == 1 else 'looks'}; the last is not clearly below the best."


def _rejected(run: Run) -> tuple[str, str]:
    rejected, images = run.facts.get("rejected"), run.job["images"]
    if not isinstance(rejected, int):
        return OPEN, "" if run.complete else "Unreadable images are counted when the run ends."
    if rejected:
        part = share(rejected, images)
        return LOOK, (
            f"{rejected:,} of {images:,} images ({part}) could not be read and were left out; _rejected.csv in the "
            "folder names them."
        )
    return GOOD, f"All of {counted(images, 'images')} could be read."


def _waiting(run: Run) -> tuple[str, str]:
    whole, waited = seconds(run)
    if not whole:
        return GOOD, ""
    said = f"{share(waited, whole)} of {duration(whole)} went by waiting for data"
    if waited > SLOW * whole:
        return LOOK, f"{said}: raise --workers, or set --cache-dataset."
    return GOOD, f"{said}."


def duration(seconds: float) -> str:
    """Return `50 s`, `12 min`, `3 h 07 min` or `2 d 4 h`."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def _log(run: Run) -> tuple[str, str]:
    cut = "The last line of metrics.jsonl was cut short and is left out." if run.cut else ""
    if not run.damaged:
        return GOOD, cut
    lines = "1 line" if run.damaged == 1 else f"{run.damaged:,} lines"
    return LOOK, f"{lines} of metrics.jsonl could not be read, and left out. {cut}".strip()
