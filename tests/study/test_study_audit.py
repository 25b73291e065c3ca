"""All that an audit looks at comes together: shortcuts that were planted, damage, copies, encoders; nothing else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from remedis.commands import index_folder
from remedis.console import QUIET, Track
from remedis.data import manifest
from remedis.data.finding import Finding
from remedis.data.manifest import Manifest
from remedis.errors import ManifestError
from remedis.models.learnt import Learnt
from remedis.options.index import IndexFolder
from remedis.study.audit import audit_all

N = 60
LABELS = [number // 2 % 2 for number in range(N)]


class Listening:
    """A console that keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    def warn(self, line: str) -> None:
        self.said.append(line)

    def track(self, total: int, unit: str, description: str, *, done: int = 0) -> AbstractContextManager[Track]:
        return QUIET.track(total, unit, description, done=done)


def made(folder: Path, *, lighter: float = 0.0, **columns: Any) -> Manifest:
    """Sixty pictures of thirty patients; those of the second class are lighter by so many grey levels."""
    folder.mkdir()
    random = np.random.default_rng(4)
    for number in range(N):
        coarse = Image.fromarray(random.random((7, 8), np.float32)).resize((40, 36), Image.Resampling.BICUBIC)
        level = 40 + 120 * np.asarray(coarse) + 6 * random.normal() + lighter * LABELS[number]
        Image.fromarray(np.clip(level, 0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    table = {
        "image": [f"{number}.png" for number in range(N)],
        "patient_id": [f"p{number // 2}" for number in range(N)],
        "split": ["train"] * 40 + ["test"] * 20,
        "label": LABELS,
        **columns,
    }
    manifest.write(pa.table(table), folder / "m.parquet", {"root": ".", "data_set": folder.name})
    return manifest.read(folder / "m.parquet")


def of_kind(found: list[Finding], kind: str) -> list[str]:
    return [finding.message for finding in found if finding.kind == kind]


def test_nothing_is_found_where_nothing_was_planted(tmp_path: Path) -> None:
    console = Listening()
    random = np.random.default_rng(1)
    sites = ["north" if each else "south" for each in np.repeat(random.random(N // 2) < 0.5, 2)]
    found = audit_all(made(tmp_path / "set", site=sites), ["label"], console=console)
    assert found == []
    assert [line.split(" alone ")[0] for line in console.said] == ["label: brightness", "label: the site"]


@pytest.mark.parametrize(
    ("feature", "columns"),
    [
        ("image size and aspect", {"width": [100 + 9 * each for each in LABELS], "height": [100] * N}),
        ("size and aspect of the original", {
            "original_width": [2000] * N, "original_height": [1500 + 400 * each for each in LABELS],
        }),
        ("brightness", {}),
        ("the site", {"site": [("north", "south")[each] for each in LABELS]}),
        ("the view", {"view": [("PA", "AP")[each] for each in LABELS]}),
    ],
)  # fmt: skip
def test_a_planted_shortcut_is_named(tmp_path: Path, feature: str, columns: dict[str, Any]) -> None:
    rows = made(tmp_path / "set", lighter=60 if feature == "brightness" else 0, **columns)
    (said,) = of_kind(audit_all(rows, ["label"]), "shortcut")
    assert said.startswith(f"label: {feature} alone reach")
    assert "AUROC 1.00" in said
    assert "30 patients" in said
    assert ("which a disease can change too" in said) == (feature == "brightness")


def test_sex_and_age_are_said_and_no_finding(tmp_path: Path) -> None:
    console = Listening()
    rows = made(tmp_path / "set", sex=[("F", "M")[each] for each in LABELS], age=[30 + 20 * each for each in LABELS])
    assert audit_all(rows, ["label"], console=console) == []
    assert [line.split(" (")[0] for line in console.said[1:]] == [
        "label: the sex alone reaches AUROC 1.00", "label: the age alone reaches AUROC 1.00",
    ]  # fmt: skip


def test_a_label_is_not_told_by_itself(tmp_path: Path) -> None:
    rows = made(tmp_path / "set", view=[("PA", "AP")[each] for each in LABELS])
    assert of_kind(audit_all(rows, ["view"], decode=False), "shortcut") == []
    assert len(of_kind(audit_all(rows, ["label"], decode=False), "shortcut")) == 1


def test_headers_alone_do_without_pixels(tmp_path: Path) -> None:
    rows = made(tmp_path / "set", lighter=60)
    data = (rows.root / "3.png").read_bytes()
    (rows.root / "3.png").write_bytes(data[: len(data) // 2])
    assert audit_all(rows, ["label"], decode=False) == []
    unreadable, shortcut = audit_all(rows, ["label"])
    assert unreadable.line == "unreadable: 1 picture cannot be decoded: 3.png (error)"
    assert shortcut.kind == "shortcut"


def test_a_file_is_told_of_once(tmp_path: Path) -> None:
    rows = made(tmp_path / "set")
    (rows.root / "1.png").unlink()
    (rows.root / "2.png").write_text("no picture")
    assert [finding.kind for finding in audit_all(rows, [])] == ["missing", "header"]


def test_encoders_and_other_manifests_are_looked_at(tmp_path: Path) -> None:
    rows, other = made(tmp_path / "set"), made(tmp_path / "other")
    (other.root / "1.png").write_bytes(b"")
    console = Listening()
    found = audit_all(
        rows, [], encoders=[Learnt("E", ("set",), notes=("a note",))], others=[other], decode=False, console=console
    )
    names, pictures = (finding for finding in found if finding.kind == "contamination")
    assert names.message.startswith("E: the encoder has learnt from images of set")
    assert pictures.message.startswith("20 pictures of the test part are among what")
    assert str(other.path) in pictures.message
    assert console.said[0] == "a note"
    assert "patient_id stand both here" in console.said[1]


def test_an_unknown_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no column 'lable'"):
        audit_all(made(tmp_path / "set"), ["lable"])


def indexed(real_data: Callable[[str], Path], name: str, out: Path) -> Manifest:
    folder = real_data(name)
    index_folder.run(IndexFolder(folder=folder, labels=folder / "labels.csv", out=out / f"{name}.parquet"))
    return manifest.read(out / f"{name}.parquet")


def test_the_known_shortcuts_of_the_childrens_radiographs_are_named(
    real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    rows = indexed(real_data, "cxr-pneumonia", tmp_path)
    found = audit_all(rows, ["pneumonia"])
    assert {finding.kind for finding in found} == {"shortcut"}
    figures = {said.split(" alone ")[0]: float(said.split("AUROC ")[1][:4]) for said in of_kind(found, "shortcut")}
    assert figures["pneumonia: image size and aspect"] == pytest.approx(0.87, abs=0.01)
    assert figures["pneumonia: size and aspect of the original"] == pytest.approx(0.92, abs=0.01)
    assert 0.68 < figures["pneumonia: brightness"] < 0.80  # 0.71 by mean and spread alone


def test_brightness_and_view_tell_who_is_in_intensive_care(real_data: Callable[[str], Path], tmp_path: Path) -> None:
    found = audit_all(indexed(real_data, "cxr-hannover", tmp_path), ["in_icu"])
    figures = {said.split(" alone ")[0]: float(said.split("AUROC ")[1][:4]) for said in of_kind(found, "shortcut")}
    assert figures["in_icu: brightness"] == pytest.approx(0.91, abs=0.02)
    assert figures["in_icu: the view"] == pytest.approx(0.74, abs=0.04)
