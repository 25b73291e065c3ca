"""What goes into a probe's folder besides figures: places that move along, the job, and what was seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remedis.errors import LeakError
from remedis.evaluate.probe import Plan, Settings, plan
from remedis.evaluate.record import Asked, job_of, noted, parts_of, seen_rows
from remedis.evaluate.sources import Source, open_source
from remedis.evaluate.targets import target
from synthetic_embeddings import separable, write_embeddings

SETTINGS = Settings(folds=3)


def opened(folder: Path, *, tested_whole: bool = False, data_set: str = "some", **columns: list[Any]) -> Source:
    codes = np.arange(24) % 2
    write_embeddings(folder, separable(codes), {"label": codes.tolist(), **columns}, data_set=data_set)
    return open_source(folder, tested_whole=tested_whole)


def planned(source: Source, other: Source | None = None) -> Plan:
    return plan(target(source.table, "label"), source, other, SETTINGS)


@pytest.mark.parametrize(
    ("path", "out", "expected"),
    [
        ("work/emb", "work/probe", "../emb"),
        ("work/deep/emb", "work/probe", "../deep/emb"),
        ("elsewhere/emb", "work/probe", "BASE/elsewhere/emb"),
    ],
)
def test_places_are_relative_where_both_can_move_together(tmp_path: Path, path: str, out: str, expected: str) -> None:
    assert noted(tmp_path / path, tmp_path / out) == expected.replace("BASE", str(tmp_path.resolve()))


def test_the_job_is_json_and_holds_what_was_asked_and_what_made_the_embeddings(tmp_path: Path) -> None:
    source = opened(tmp_path / "emb")
    asked = Asked(tmp_path / "probe", tmp_path / "emb", ("label",), SETTINGS, where=("label!=2",))
    job = job_of(asked, source, None)
    assert job == json.loads(json.dumps(job))
    assert (job["label"], job["where"], job["folds"], job["embeddings"]) == (["label"], ["label!=2"], 3, "../emb")
    assert (job["encoder_hash"], job["manifest_hash"]) == ("ab" * 32, "cd" * 32)
    assert "manifest" not in job
    other = job_of(asked, source, opened(tmp_path / "emb2", tested_whole=True))
    assert other["test_encoder_hash"] == "ab" * 32


def test_parts_are_counted_in_images_and_units(tmp_path: Path) -> None:
    words = ["train"] * 12 + ["val"] * 4 + ["test"] * 8
    source = opened(tmp_path / "emb", split=words, patient_id=[f"p{row // 2}" for row in range(24)])
    found = parts_of(planned(source))
    assert found["counts"] == {
        "train": {"images": 12, "units": 6},
        "validation": {"images": 4, "units": 2},
        "test": {"images": 8, "units": 4},
    }
    assert found["class_counts"] == {"0": 4, "1": 4}


def test_seen_rows_are_those_learnt_from_or_chosen_with(tmp_path: Path) -> None:
    source = opened(tmp_path / "emb", split=["train"] * 12 + ["val"] * 4 + ["test"] * 8)
    assert seen_rows([planned(source)]).words == ["no"] * 24
    again = open_source(tmp_path / "emb", tested_whole=True)
    found = seen_rows([planned(source, again)])
    assert found.words == ["train"] * 12 + ["validation"] * 4 + ["no"] * 8


def test_other_embeddings_that_were_all_seen_are_refused(tmp_path: Path) -> None:
    source = opened(tmp_path / "emb")
    again = open_source(tmp_path / "emb", tested_whole=True)
    with pytest.raises(LeakError, match="every labelled row was learnt from"):
        seen_rows([planned(source, again)])
