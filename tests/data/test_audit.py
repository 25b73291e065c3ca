"""`index check` finds what was planted, says how bad it is, and finds nothing where nothing is wrong."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from remedis.data import manifest, pack
from remedis.data.audit import audit
from remedis.data.finding import Finding
from remedis.data.indexers.summary import lines, summary
from remedis.data.manifest import Manifest
from remedis.errors import ManifestError

N = 24


def made(folder: Path, facts: dict[str, Any] | None = None, **columns: Any) -> Manifest:
    """A faultless manifest of 24 pictures, with some columns replaced."""
    images = folder / "images"
    images.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(N):
        pixels = random.integers(0, 256, (6, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
    table = {
        "image": [f"{number}.png" for number in range(N)],
        "patient_id": [f"p{number // 2}" for number in range(N)],
        "split": [("train", "train", "test")[number // 2 % 3] for number in range(N)],
        "label": [number % 2 for number in range(N)],
        **columns,
    }
    manifest.write(pa.table(table), folder / "m.parquet", {"root": "images", **(facts or {})})
    return manifest.read(folder / "m.parquet")


def kinds(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.kind, finding.severity) for finding in found]


def test_nothing_is_found_where_nothing_is_wrong(tmp_path: Path) -> None:
    assert audit(made(tmp_path), ["label"]) == []


def test_missing_files_are_errors_and_named(tmp_path: Path) -> None:
    rows = made(tmp_path)
    for number in (3, 5):
        (tmp_path / f"images/{number}.png").unlink()
    (found,) = audit(rows)
    assert (found.kind, found.severity, found.count, found.examples) == ("missing", "error", 2, ("3.png", "5.png"))
    assert found.line == "missing: 2 of 24 files not there: 3.png, 5.png (error)"


def test_headers_that_cannot_be_read_are_errors(tmp_path: Path) -> None:
    rows = made(tmp_path)
    (tmp_path / "images/3.png").write_text("no picture")
    (found,) = audit(rows)
    assert (found.kind, found.severity, found.examples) == ("header", "error", ("3.png",))


@pytest.mark.parametrize(
    ("copy", "severity"), [((0, 2), "warning"), ((0, 4), "error"), ((4, 16), "warning")]
)  # 0 and 2 train, 4 and 16 test
def test_the_same_bytes_twice(tmp_path: Path, copy: tuple[int, int], severity: str) -> None:
    rows = made(tmp_path)
    original, other = (tmp_path / f"images/{number}.png" for number in copy)
    other.write_bytes(original.read_bytes())
    (found,) = audit(rows)
    assert (found.kind, found.severity, found.count) == ("duplicate", severity, 1)
    assert found.examples == (f"{copy[0]}.png = {copy[1]}.png",)


def test_without_a_split_the_same_bytes_are_a_warning(tmp_path: Path) -> None:
    rows = made(tmp_path, split=["all"] * N)
    (tmp_path / "images/4.png").write_bytes((tmp_path / "images/0.png").read_bytes())
    assert kinds(audit(rows)) == [("duplicate", "warning"), ("split", "warning")]


def test_files_of_one_size_are_not_the_same(tmp_path: Path) -> None:
    rows = made(tmp_path)
    data = (tmp_path / "images/0.png").read_bytes()
    (tmp_path / "images/4.png").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert audit(rows) == []


@pytest.mark.parametrize(("second", "severity"), [(2, "warning"), (4, "error")])
def test_one_picture_in_two_rows(tmp_path: Path, second: int, severity: str) -> None:
    names = [f"{number}.png" for number in range(N)]
    names[second] = "0.png"
    found = audit(made(tmp_path, image=names, patient_id=[None] * N))
    assert ("duplicate", severity) in kinds(found)
    line = next(finding.line for finding in found if finding.kind == "duplicate")
    assert line.startswith("duplicate: 1 image has two rows or more")


def test_frames_and_regions_of_one_file_are_not_the_same_picture(tmp_path: Path) -> None:
    data = Path(str(get_testdata_file("SC_rgb_rle_2frame.dcm"))).read_bytes()
    (tmp_path / "a.dcm").write_bytes(data)
    manifest.write(pa.table({"image": ["a.dcm", "a.dcm"], "frame": [0, 1]}), tmp_path / "m.parquet", {"root": "."})
    rows = manifest.read(tmp_path / "m.parquet")
    assert audit(rows) == []
    list(pack.write(rows, tmp_path / "p.arrow"))
    assert audit(pack.open_pack(tmp_path / "p.arrow")) == []


def test_patients_in_two_parts_are_errors(tmp_path: Path) -> None:
    patients = [f"p{number // 2}" for number in range(N)]
    patients[4] = "p0"
    found = audit(made(tmp_path, patient_id=patients))
    assert kinds(found) == [("leak", "error")]
    assert found[0].line == "leak: 1 patient stands in two parts of the split: p0 (error)"
    assert audit(made(tmp_path, patient_id=patients, site=["s"] * 4 + ["t"] * (N - 4))) == []


def test_unknown_patients_and_words_of_the_split_are_counted(tmp_path: Path) -> None:
    splits = ["train"] * 20 + ["test", "extra", "extra", None]
    found = audit(made(tmp_path, patient_id=[None] * 3 + [f"p{number}" for number in range(3, N)], split=splits))
    assert kinds(found) == [("patient", "warning"), ("split", "warning")]
    assert found[0].count == 3
    assert found[1].line.startswith("split: 3 rows name no part and belong to none: extra 2, (empty) 1")


def test_labels_that_nobody_named_are_warned_of_where_they_say_nothing(tmp_path: Path) -> None:
    found = audit(
        made(tmp_path, empty=pa.array([None] * N, pa.string()), one=[7.0] * N, sex=[None] * N, case_id=["x"] * N)
    )
    assert [(finding.kind, finding.severity, finding.message) for finding in found] == [
        ("label", "warning", "empty is empty"), ("label", "warning", "one has one class (7)"),
    ]  # fmt: skip


TRAIN = [number // 2 % 3 < 2 for number in range(N)]
RARE = ["z" if number == 4 else "xy"[number % 2] for number in range(N)]


@pytest.mark.parametrize(
    ("label", "severity", "complaint"),
    [
        (["x"] * N, "error", "label: label has one class (x)"),
        (pa.array([None] * N, pa.string()), "error", "label: label is empty"),
        (["x" if TRAIN[i] else "xy"[i % 2] for i in range(N)], "error", "one class (x) in the train part"),
        (["xy"[i % 2] if TRAIN[i] else "x" for i in range(N)], "error", "one class (x) in the test part"),
        ([None if TRAIN[i] else str(i % 2) for i in range(N)], "error", "is empty in the train part"),
        (RARE, "warning", "classes in the test part that the train part lacks: z"),
        (RARE, "warning", "fewer than 10 rows: z in 1"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_learnt_from(tmp_path: Path, label: Any, severity: str, complaint: str) -> None:
    found = audit(made(tmp_path, label=label), ["label"])
    assert any(complaint in finding.line and finding.severity == severity for finding in found)
    assert {finding.kind for finding in found} == {"label"}


def test_an_unknown_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no column 'lable', did you mean label"):
        audit(made(tmp_path), ["lable"])


def test_paths_that_are_refused_or_hold_on_one_machine_only(tmp_path: Path) -> None:
    rows = made(tmp_path, {"paths_may_identify": True})
    names = rows.table["image"].to_pylist()
    names[0], names[1] = "../images/0.png", str(tmp_path / "images/1.png")
    found = audit(made(tmp_path, {"paths_may_identify": True}, image=names))
    assert kinds(found) == [("path", "error"), ("path", "warning"), ("path", "warning")]


def test_errors_come_first(tmp_path: Path) -> None:
    rows = made(tmp_path, {"paths_may_identify": True}, empty=[None] * N)
    (tmp_path / "images/0.png").unlink()
    assert [finding.severity for finding in audit(rows)] == ["error", "warning", "warning"]


def test_a_pack_is_checked_by_the_bytes_in_it(tmp_path: Path) -> None:
    rows = made(tmp_path)
    (tmp_path / "images/4.png").write_bytes((tmp_path / "images/0.png").read_bytes())
    list(pack.write(rows, tmp_path / "p.arrow"))
    (found,) = audit(pack.open_pack(tmp_path / "p.arrow"))
    assert (found.kind, found.severity, found.examples) == ("duplicate", "error", ("0.png = 4.png",))


@pytest.mark.parametrize("name", ["cxr-nih", "cxr-pneumonia", "white-cells", "cxr-hannover"])
def test_duplicates_of_real_sets_are_those_that_hashing_every_file_finds(
    real_data: Callable[[str], Path], name: str
) -> None:
    from remedis.data.indexers import folder

    root = real_data(name)
    groups = defaultdict(list)
    for path in sorted(root.rglob("*.jpg")):
        groups[hashlib.sha256(path.read_bytes()).digest()].append(path.relative_to(root).as_posix())
    expected = {" = ".join(group) for group in groups.values() if len(group) > 1}
    indexed = folder.index(root)
    found = audit(Manifest(indexed.table, root, indexed.facts, None))
    assert {example for finding in found if finding.kind == "duplicate" for example in finding.examples} == expected
    assert not {finding.kind for finding in found} - {"duplicate"}
    assert bool(expected) == (name == "cxr-nih")


def test_readers_votes_are_no_labels_that_say_nothing(tmp_path: Path) -> None:
    rows = made(tmp_path, nodule=[1] * N, nodule_votes=[3] * N)
    assert [finding.message for finding in audit(rows)] == ["nodule has one class (1)"]


def test_columns_of_one_class_are_counted_rather_than_denied(tmp_path: Path) -> None:
    rows = made(tmp_path, label=[0] * N, nodule=[1] * N)
    assert lines(summary(rows.table, rows.facts))[1].startswith("labels: none with two classes; 2 columns of one")
