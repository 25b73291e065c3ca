"""`remedis index check`: one line a finding that begins with its kind, exit status 1 where one is an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from remedis import cli
from remedis.commands.index_check import size_alone
from remedis.data import manifest
from remedis.data.audit import audit


def made(folder: Path, **columns: list[object]) -> Path:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(24):
        Image.fromarray(random.integers(0, 256, (6, 8), np.uint8)).save(folder / f"{number}.png")
    table = {
        "image": [f"{number}.png" for number in range(24)],
        "patient_id": [f"p{number // 2}" for number in range(24)],
        "split": [("train", "train", "test")[number // 2 % 3] for number in range(24)],
        "label": [number % 2 for number in range(24)],
        **columns,
    }
    manifest.write(pa.table(table), folder.with_suffix(".parquet"), {"root": folder.name})
    return folder.with_suffix(".parquet")


def test_no_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "set")
    for given in (path, tmp_path / "set"):
        assert cli.run(["index", "check", str(given)]) == 0
        assert capsys.readouterr().out == "no findings\n"


def test_errors_end_with_status_1_and_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patients: list[object] = [f"p{number // 2}" for number in range(24)]
    patients[4] = "p0"
    path = made(tmp_path / "set", patient_id=patients, constant=["x"] * 24)
    (tmp_path / "set/4.png").write_bytes((tmp_path / "set/0.png").read_bytes())
    (tmp_path / "set/7.png").unlink()
    assert cli.run(["index", "check", str(path)]) == 1
    out, err = capsys.readouterr()
    assert [line.partition(":")[0] for line in out.splitlines()] == ["missing", "duplicate", "leak", "label"]
    assert "24 rows checked: 3 errors, 1 warning" in err
    assert cli.run(["index", "check", str(path), "--json", "--quiet"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["errors"] == 3
    assert [(each["kind"], each["severity"], each["count"]) for each in found["findings"]] == [
        ("missing", "error", 1), ("duplicate", "error", 1), ("leak", "error", 1), ("label", "warning", 24),
    ]  # fmt: skip
    assert found["findings"][0]["examples"] == ["7.png"]


def test_warnings_end_with_status_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "set", patient_id=[None] * 24)
    assert cli.run(["index", "check", str(path)]) == 0
    assert capsys.readouterr().out.startswith("patient: patient_id is unknown in 24 rows")


def test_a_manifest_that_cannot_be_read_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "set")
    for words in (["gone.parquet"], [str(path), "--label", "lable"], [str(path), "--root", str(tmp_path / "gone")]):
        assert cli.run(["index", "check", *words]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_rows_and_classes_can_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "set", label=["a", "b", "rare"] * 8, group=["x"] * 20 + ["y"] * 4)
    words = ["index", "check", str(path), "--label", "label", "--json"]
    for more, rows in (([], 24), (["--exclude-class", "rare"], 16), (["--where", "group=y"], 4)):
        cli.run([*words, *more])
        assert json.loads(capsys.readouterr().out)["rows"] == rows
    assert cli.run([*words, "--exclude-class", "raer"]) == 2
    assert "did you mean rare" in capsys.readouterr().err


def test_another_root_is_looked_into(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "set")
    (tmp_path / "set").rename(tmp_path / "moved")
    assert cli.run(["index", "check", str(path), "--root", str(tmp_path / "moved")]) == 0
    assert capsys.readouterr().out == "no findings\n"


def test_what_size_alone_says_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    label = [number % 2 for number in range(24)]
    telling = [100 + 20 * each + int(random.integers(0, 5)) for each in label]
    path = made(tmp_path / "set", label=label, width=telling, height=[100] * 24)
    assert cli.run(["index", "check", str(path), "--label", "label"]) == 0
    assert "shortcut: label: image size and aspect alone reach AUROC 1.00" in capsys.readouterr().out
    same = made(tmp_path / "set", label=label, width=[100] * 24, height=[100] * 24)
    assert cli.run(["index", "check", str(same), "--label", "label"]) == 0
    assert capsys.readouterr().out == "no findings\n"


def test_the_shortcut_of_real_images_is_scikit_learns(real_data: Callable[[str], Path], tmp_path: Path) -> None:
    folder = real_data("cxr-pneumonia")
    words = ["--labels", str(folder / "labels.csv"), "--out", str(tmp_path / "m.parquet")]
    assert cli.run(["index", "folder", str(folder), *words]) == 0
    rows = manifest.read(tmp_path / "m.parquet")
    table = rows.table
    width, height = (np.log(table[name].to_numpy()) for name in ("width", "height"))
    features = np.stack([width, height, width - height], axis=1)
    label, split = table["pneumonia"].to_numpy(), np.array(table["split"].to_pylist())
    scaler = StandardScaler().fit(features[split == "train"])
    model = LogisticRegression(C=1.0).fit(scaler.transform(features[split == "train"]), label[split == "train"])
    scores = model.decision_function(scaler.transform(features[split == "test"]))
    assert size_alone(rows, "pneumonia") == pytest.approx(roc_auc_score(label[split == "test"], scores), abs=0.02)
    assert audit(rows, ["pneumonia", "subtype"]) == []


def test_without_a_split_the_shortcut_is_told_in_folds(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    label = [number % 2 for number in range(24)]
    telling = [100 + 20 * each + int(random.integers(0, 5)) for each in label]
    path = made(tmp_path / "set", label=label, width=telling, height=[100] * 24, split=[None] * 24)
    assert size_alone(manifest.read(path), "label") == 1.0
    noise = [int(each) for each in random.integers(90, 110, 24)]
    path = made(tmp_path / "set", label=label, width=noise, height=[100] * 24, split=[None] * 24)
    found = size_alone(manifest.read(path), "label")
    assert found is not None
    assert 0.0 <= found < 0.9
