"""What an encoder has learnt from: by its name, by its checkpoint, and by the run that made it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from remedis.data import manifest
from remedis.errors import CheckpointError
from remedis.models import zoo
from remedis.models.card import Facts
from remedis.models.learnt import learnt_by, learnt_in, rows_of


def written_run(place: Path, *, options: dict[str, Any] | None = None, **said: Any) -> Path:
    """A run on a manifest of six rows, two of them of the test part."""
    table = pa.table(
        {
            "image": [f"{number}.png" for number in range(6)],
            "split": ["train"] * 4 + ["test"] * 2,
            "view": ["PA", "AP"] * 3,
        }
    )
    manifest.write(table, place / "m.parquet", {"root": ".", "data_set": "archive"})
    run = place / "run"
    (run / "last").mkdir(parents=True)
    asked = {"manifest": "m.parquet", "where": [], "root": None, "splits": "train", **(options or {})}
    job = {"manifest_hash": manifest.read(place / "m.parquet").hash()}
    (run / "run.json").write_text(json.dumps({"verb": "pretrain", "options": asked, "job": job, **said}))
    extra = {"seen": ["ImageNet-1k", "archive"], "pretraining": {"data_set": "archive", "left_out": 2}}
    (run / "last/config.json").write_text(json.dumps({"remedis": {"extra": extra}}))
    return run


def images(found: Any) -> list[str]:
    return found.rows.table["image"].to_pylist()  # type: ignore[no-any-return]


def test_published_models_have_seen_what_the_zoo_says() -> None:
    for name in zoo.names():
        found = learnt_by(name)
        assert (found.name, found.seen, found.rows) == (name, zoo.seen_by(name), None)
    assert "MIMIC-CXR" in learnt_by("cxr-50x1-remedis-m").seen


@pytest.mark.parametrize("below", ["", "last"])
def test_a_run_tells_its_rows(tmp_path: Path, below: str) -> None:
    run = written_run(tmp_path)
    found = learnt_by(run / below)
    assert images(found) == [f"{number}.png" for number in range(4)]
    assert (found.seen, found.labelled, found.notes) == (("ImageNet-1k",), False, ())


def test_a_run_on_all_parts_or_on_some_rows_tells_them(tmp_path: Path) -> None:
    assert len(images(learnt_by(written_run(tmp_path / "a", options={"splits": "all"})))) == 6
    run = written_run(tmp_path / "b", options={"where": ["view=PA"]}, job={})
    assert images(learnt_by(run)) == ["0.png", "2.png"]


def test_fine_tuning_is_learning_with_labels(tmp_path: Path) -> None:
    assert learnt_by(written_run(tmp_path, verb="finetune")).labelled


def test_a_run_that_left_keys_gives_all_rows_for_them_to_tell(tmp_path: Path) -> None:
    run = written_run(tmp_path, verb="finetune", data_set="archive")
    (run / "last").rename(run / "best")
    (run / "_seen.parquet").write_bytes(b"")
    found = learnt_by(run / "best")
    assert (found.keys, len(images(found)), found.seen) == (run, 6, ("ImageNet-1k",))
    (tmp_path / "m.parquet").unlink()
    gone = learnt_by(run)
    assert (gone.keys, gone.rows, gone.seen) == (run, None, ("ImageNet-1k",))


def test_a_manifest_that_is_gone_or_has_changed_is_not_compared(tmp_path: Path) -> None:
    run = written_run(tmp_path)
    manifest.write(pa.table({"image": ["x.png"]}), tmp_path / "m.parquet", {"root": "."})
    changed = learnt_by(run)
    (tmp_path / "m.parquet").write_text("no table")
    broken = learnt_by(run)
    (tmp_path / "m.parquet").unlink()
    gone = learnt_by(run)
    for found, word in ((changed, "has changed since"), (broken, "cannot be read"), (gone, "is not there")):
        assert found.rows is None
        (note,) = found.notes
        assert word in note
        assert found.seen == ("ImageNet-1k",)  # the run left its test part out


def test_facts_alone_tell_names() -> None:
    facts = Facts(extra={"seen": ["A", "B"], "pretraining": {"data_set": "B", "left_out": 0}})
    assert learnt_in(facts, "e").seen == ("A", "B")
    facts = Facts(extra={"seen": ["A", "B"], "pretraining": {"data_set": "B", "left_out": 7}})
    assert learnt_in(facts, "e").seen == ("A",)
    assert learnt_in(Facts(), "e").seen == ()


def test_encoders_of_others_are_known_by_their_names() -> None:
    found = learnt_by("timm:hf-hub:microsoft/rad-dino")
    assert "CheXpert" in found.seen
    assert "2401.10815" in found.notes[0]
    assert "is not known here" in learnt_by("timm:resnet18").notes[0]


def test_a_manifest_is_what_it_holds(tmp_path: Path) -> None:
    table = pa.table({"image": np.array(["a.png"])})
    manifest.write(table, tmp_path / "m.parquet", {"root": ".", "data_set": "d"})
    rows = manifest.read(tmp_path / "m.parquet")
    found = rows_of(rows, "m")
    assert (found.seen, found.rows, found.labelled) == (("d",), rows, False)


def test_other_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="did you mean cxr-50x1-remedis-m"):
        learnt_by("cxr-50x1-remedi-m")
    with pytest.raises(CheckpointError, match="is neither a checkpoint"):
        learnt_by(tmp_path)


def test_a_checkpoint_of_another_library_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (note,) = learnt_by(tmp_path).notes
    assert "does not say" in note


def test_torch_is_not_needed() -> None:
    program = "import sys, remedis.study.audit, remedis.models.learnt; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
