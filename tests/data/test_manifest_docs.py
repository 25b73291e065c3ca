"""The manifest's pages say what the code does: columns, words, keys and kinds, and every command with its output."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from remedis import cli
from remedis.data import manifest, pack, splits
from remedis.data.audit_labels import FEW
from remedis.data.indexers.label_table import RESERVED
from remedis.data.indexers.summary import KNOWN
from remedis.evaluate.shortcuts import SHORTCUT

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = (DOCS / "reference/manifest.md").read_text(encoding="utf-8")
GUIDE = (DOCS / "guides/make-a-manifest.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading of the reference."""
    return REFERENCE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_cells(title: str) -> list[str]:
    """The names in the first column of a section's table."""
    rows = re.findall(r"^\| (.+?) \|", section(title), re.M)[1:]
    return [name for row in rows for name in re.findall(r"`([\w-]+)`", row)]


def test_the_columns_are_the_codes() -> None:
    assert set(first_cells("Columns")) == KNOWN
    assert (
        {pack.BYTES, pack.RECORD}
        < RESERVED
        == set(re.findall(r"`(\w+)`", section("Columns").partition("cannot be used:")[2]))
    )


def test_the_words_of_the_split_are_the_codes() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", section("Words of the split"), re.M)
    assert [part for part, _ in rows] == list(splits.SPLITS)
    for part, words in rows:
        assert {splits.part_of(word) for word in words.split(", ")} == {part}
    assert sum(len(words.split(", ")) for _, words in rows) == len(splits._WORDS)


def test_the_version_and_limits_are_the_codes() -> None:
    assert f"| `format_version` | {manifest.FORMAT_VERSION};" in REFERENCE
    assert f"fewer than {FEW} rows" in REFERENCE
    assert f"from AUROC {SHORTCUT}" in REFERENCE


def test_the_kinds_of_findings_are_the_codes() -> None:
    folder = Path(cli.__file__).parent
    sources = *folder.glob("data/audit*.py"), folder / "data/near_duplicates.py", *folder.glob("study/*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    kinds = set(re.findall(r'(?:Finding|finding_of)\(\s*"([\w-]+)"', text))
    assert set(first_cells("What `remedis index check` finds")) == kinds


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folders that the guide speaks of."""
    random = np.random.default_rng(0)
    rows = ["image,patient_id,pneumonia,sex,age,hospital"]
    for number in range(24):
        patient = number // 2 + 1
        sick = (patient + 1) % 2
        name = f"p{patient:02}_{number % 2 + 1}.png"
        picture = Image.fromarray(random.integers(0, 256, (6, 8), np.uint8))
        for folder in (tmp_path / "cxr", tmp_path / f"by-class/{('normal', 'pneumonia')[sick]}"):
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / name)
        sex, hospital = ("F", "M")[sick], ("north", "south")[sick]
        rows.append(f"{name},p{patient:02},{sick},{sex},{33 + patient},{hospital}")
    (tmp_path / "cxr/labels.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "archive").mkdir()
    shutil.copy(str(get_testdata_file("CT_small.dcm")), tmp_path / "archive/1.dcm")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_of_the_guide_says_what_the_guide_says(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = (place / "cxr/labels.csv").read_text().splitlines()
    assert "\n".join(f"    {line}" for line in table[:4]) in GUIDE
    blocks = re.findall(r"^    \$ remedis (.+)\n((?:    .+\n)*)", GUIDE, re.M)
    assert len(blocks) == 8
    for command, output in blocks:
        status = cli.run(command.split())
        said, expected = (re.sub(r"[\d.]+ KiB", "KiB", text) for text in (capsys.readouterr().out, output))
        assert said.splitlines() == [line[4:] for line in expected.splitlines()]
        assert status == int("(error)" in output)
