"""`remedis index check`: one line a finding that begins with its kind, exit status 1 where one is an error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from remedis import cli
from remedis.data import manifest


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
    label = [number // 2 % 2 for number in range(24)]
    telling = [100 + 20 * each + int(random.integers(0, 5)) for each in label]
    path = made(tmp_path / "set", label=label, width=telling, height=[100] * 24)
    assert cli.run(["index", "check", str(path), "--label", "label"]) == 0
    out = capsys.readouterr().out
    assert "shortcut: label: image size and aspect alone reach AUROC 1.00 (1.00 to 1.00, 12 patients)" in out
    same = made(tmp_path / "set", label=label, width=[100] * 24, height=[100] * 24)
    assert cli.run(["index", "check", str(same), "--label", "label"]) == 0
    out, err = capsys.readouterr()
    assert out == "no findings\n"
    assert "label: brightness alone tells nothing (AUROC 0." in err


def test_pixels_are_decoded_unless_headers_are_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "set")
    data = (tmp_path / "set/5.png").read_bytes()
    (tmp_path / "set/5.png").write_bytes(data[:-20])
    assert cli.run(["index", "check", str(path)]) == 1
    assert capsys.readouterr().out == "unreadable: 1 picture cannot be decoded: 5.png (error)\n"
    assert cli.run(["index", "check", str(path), "--headers-only"]) == 0
    out, err = capsys.readouterr()
    assert out == "no findings\n"
    assert "decoding" not in err


def test_encoders_and_what_they_were_pretrained_on_are_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(tmp_path / "mimic-cxr")
    words = ["index", "check", str(path), "--encoder", "path-152x2-remedis-m,cxr-152x2-remedis-m"]
    assert cli.run(words) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("contamination: cxr-152x2-remedis-m: the encoder has learnt from images of MIMIC-CXR")
    assert cli.run(["index", "check", str(path), "--pretrained-on", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [(each["kind"], each["severity"], each["count"]) for each in found] == [
        ("contamination", "warning", 4), ("contamination", "warning", 8),
    ]  # fmt: skip
    assert cli.run(["index", "check", str(path), "--encoder", "cxr-remedis"]) == 2
    assert "no encoder of this name" in capsys.readouterr().err


def test_the_run_that_made_an_encoder_names_the_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "set")
    run = tmp_path / "run"
    (run / "last").mkdir(parents=True)
    options = {"manifest": str(path), "splits": "train"}
    for verb, splits, status, kinds in (
        ("pretrain", "train", 0, []), ("pretrain", "all", 0, ["warning"] * 2), ("finetune", "all", 1, ["error"] * 2),
    ):  # fmt: skip
        (run / "run.json").write_text(json.dumps({"verb": verb, "options": {**options, "splits": splits}}))
        assert cli.run(["index", "check", str(path), "--encoder", str(run / "last"), "--json"]) == status
        found = json.loads(capsys.readouterr().out)["findings"]
        assert [each["severity"] for each in found if each["kind"] == "contamination"] == kinds


@pytest.mark.parametrize("feature", ["original", "files"])
def test_the_shortcut_of_real_images_is_scikit_learns(
    real_data: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], feature: str
) -> None:
    folder = real_data("cxr-pneumonia")
    words = ["--labels", str(folder / "labels.csv"), "--out", str(tmp_path / "m.parquet")]
    assert cli.run(["index", "folder", str(folder), *words]) == 0
    table = manifest.read(tmp_path / "m.parquet").table
    prefix = "original_" if feature == "original" else ""
    width, height = (np.log(table[f"{prefix}{name}"].to_numpy()) for name in ("width", "height"))
    features = np.stack([width, height, width - height], axis=1)
    label, patients = table["pneumonia"].to_numpy(), np.array(table["patient_id"].to_pylist())
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=7)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0))
    scores = cross_val_predict(model, features, label, groups=patients, cv=folds, method="decision_function")
    assert cli.run(["index", "check", str(tmp_path / "m.parquet"), "--label", "pneumonia", "--headers-only"]) == 0
    name = {"original": "size and aspect of the original", "files": "image size and aspect"}[feature]
    (figure,) = re.findall(rf"shortcut: pneumonia: {name} alone reach AUROC (0\.\d+)", capsys.readouterr().out)
    assert float(figure) == pytest.approx(roc_auc_score(label, scores), abs=0.01)
    assert float(figure) == pytest.approx({"original": 0.92, "files": 0.87}[feature], abs=0.01)
