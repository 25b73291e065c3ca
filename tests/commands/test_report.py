"""`remedis report` from outside: what it writes, what it refuses in one line, and what it leaves alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import report_folders
from remedis import cli
from remedis.commands import report as command
from remedis.options.report import Report


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `emb`, `probe` and `images`."""
    folder = tmp_path_factory.mktemp("made")
    report_folders.binary(folder)
    return folder


def refused(words: list[object], capsys: pytest.CaptureFixture[str], out: Path | None = None) -> str:
    """Run the command, expect status 2, one line and nothing written; return the line."""
    before = sorted(out.parent.rglob("*")) if out else []
    assert cli.run([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if not line.startswith(("probe of", "reading"))]
    assert len(lines) == 1
    assert lines[0].startswith("remedis: error: ")
    assert not out or sorted(out.parent.rglob("*")) == before
    return lines[0]


def test_it_writes_a_page_and_its_figures_and_says_so(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "page.html"
    assert cli.run(["report", str(made / "probe"), "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert f"wrote {out} (0." in captured.out
    assert "MiB, loads nothing) and" in captured.out
    assert sorted(path.name for path in out.parent.iterdir()) == ["page.html", "page.json"]
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert json.loads((out.parent / "page.json").read_text())["kind"] == "report of a probe"
    assert cli.run(["report", str(made / "probe"), "--out", str(out), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bytes"] == out.stat().st_size
    assert found["labels"] == ["pneumonia"]
    assert found["images_unreadable"] == 0


def test_the_same_call_writes_the_same_bytes(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    found = []
    for _ in range(2):
        result = command.run(Report(folder=made / "probe", out=out))
        found.append((out.read_bytes(), out.with_suffix(".json").read_bytes()))
    assert found[0] == found[1]
    assert result.text.startswith("replaced ")


@pytest.mark.parametrize("name", ["page.html", "page.json"])
@pytest.mark.parametrize("text", ["<html>mine</html>", '{"kind": "probe"}', "[1]", "\xff", ""])
def test_a_file_of_someone_else_s_is_not_replaced(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    (tmp_path / name).write_text(text, encoding="latin-1")
    line = refused(["report", made / "probe", "--out", tmp_path / "page.html"], capsys, tmp_path / "page.html")
    assert f"{tmp_path / name}: exists and was not written by remedis report; choose another name for --out" in line
    assert (tmp_path / name).read_text(encoding="latin-1") == text


def test_a_page_beside_the_probe_s_settings_cannot_take_their_place(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (made / "probe" / "config.json").read_bytes()
    assert "config.json: exists" in refused(["report", made / "probe", "--out", made / "probe" / "config.html"], capsys)
    assert (made / "probe" / "config.json").read_bytes() == before


@pytest.mark.parametrize("name", ["page.pdf", "page", "page.html.txt"])
def test_another_suffix_is_refused(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    line = refused(["report", made / "probe", "--out", tmp_path / name], capsys, tmp_path / name)
    assert "a file name that ends in .html was expected" in line


@pytest.mark.parametrize("name", ["page.html", "page.json"])
def test_a_folder_in_the_way_is_refused(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / name).mkdir()
    line = refused(["report", made / "probe", "--out", tmp_path / "page.html"], capsys, tmp_path / "page.html")
    assert f"'{tmp_path / name}' is a folder, a name for a file was expected" in line


def test_a_folder_that_cannot_be_made_is_refused(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    line = refused(["report", made / "probe", "--out", tmp_path / "file" / "page.html"], capsys, tmp_path / "page.html")
    assert str(tmp_path / "file") in line


def test_what_is_no_probe_is_refused(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    embedded = refused(["report", made / "emb", "--out", out], capsys, out)
    assert f"run remedis probe {made / 'emb'} --label COLUMN --out probe" in embedded
    assert "has no config.json and results.csv" in refused(["report", made / "images", "--out", out], capsys, out)
    assert "this is a file" in refused(["report", made / "probe" / "results.csv", "--out", out], capsys, out)
    assert "did you mean probe?" in refused(["report", made / "prob", "--out", out], capsys, out)
    assert "remedis probe makes one" in refused(["report", tmp_path / "nowhere" / "x", "--out", out], capsys, out)


def damaged(made: Path, to: Path, name: str, text: str | bytes | None) -> Path:
    """Copy the probe with one file changed, or taken away."""
    folder = Path(shutil.copytree(made / "probe", to / "probe"))
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("config.json", '{"kind": "run"}', "a probe was expected"),
        ("config.json", "{", "config.json"),
        ("config.json", '{"kind": "probe", "format": 1, "labels": [{}]}', "config.json lacks 'embeddings'"),
        ("config.json", '{"kind": "probe", "format": 99, "labels": [{}]}', "format 99, this version reads 1"),
        ("predictions.parquet", None, "predictions.parquet is missing"),
        ("predictions.parquet", "no parquet", "predictions.parquet cannot be read"),
        ("predictions_knn.parquet", "no parquet", "predictions_knn.parquet cannot be read"),
        ("results.csv", "label,metric\na,auroc\n", "results.csv has no column"),
        ("results.csv", "", "results.csv has no column"),
        ("results.csv", b"\xff\xfe\x00", "results.csv"),
    ],
)  # fmt: skip
def test_a_damaged_probe_is_refused(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | bytes | None, word: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    folder = damaged(made, tmp_path / "in", name, text)
    out = tmp_path / "out" / "page.html"
    assert word in refused(["report", folder, "--out", out], capsys, out)


def test_a_number_that_is_none_is_refused(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (made / "probe" / "results.csv").read_text()
    value = text.splitlines()[1].split(",")[8]
    folder = damaged(made, tmp_path, "results.csv", text.replace(value, "much"))
    assert "a number was expected in results.csv" in refused(
        ["report", folder, "--out", tmp_path / "p.html"], capsys, tmp_path / "p.html"
    )


@pytest.mark.parametrize("name", ["predictions.parquet", "predictions_knn.parquet"])
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda table: table.drop_columns(["score_pneumonia"]), "no column 'score_pneumonia'"),
        (lambda table: table.slice(0, 0), "no score|0 rows, too few"),
        (lambda table: scored(table, 1.5), "not all from 0 to 1"),
        (lambda table: scored(table, float("nan")), "not all from 0 to 1"),
        (lambda table: scored(table, "high"), "are no numbers"),
    ],
)  # fmt: skip
def test_damaged_predictions_are_refused(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, change: object, word: str
) -> None:
    folder = Path(shutil.copytree(made / "probe", tmp_path / "in" / "probe"))
    pq.write_table(change(pq.read_table(folder / name)), folder / name)  # type: ignore[operator]
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "page.html"
    line = refused(["report", folder, "--out", out], capsys, out)
    assert any(part in line for part in word.split("|")), line


def scored(table: pa.Table, value: object) -> pa.Table:
    """Put one value into every score."""
    place = table.column_names.index("score_pneumonia")
    return table.set_column(place, "score_pneumonia", pa.array([value] * table.num_rows))


def test_images_that_moved_are_said_to_be_gone_and_root_finds_them(made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "moved"))
    shutil.move(folder / "images", tmp_path / "elsewhere")
    config = json.loads((folder / "probe" / "config.json").read_text())
    config["root"] = str(folder / "images")
    (folder / "probe" / "config.json").write_text(json.dumps(config))
    out = tmp_path / "page.html"
    result = command.run(Report(folder=folder / "probe", out=out))
    assert "160 images could not be read any more; have they moved? --root FOLDER says where to" in result.text
    assert "data:image" not in out.read_text(encoding="utf-8")
    assert "160 images could not be read any more" in out.read_text(encoding="utf-8")
    found = command.run(Report(folder=folder / "probe", out=out, root=tmp_path / "elsewhere"))
    assert found.data["images_unreadable"] == 0
    assert "data:image/jpeg" in out.read_text(encoding="utf-8")


def test_a_probe_without_its_embeddings_still_gives_a_page(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(made / "probe", tmp_path / "alone" / "probe"))
    out = tmp_path / "page.html"
    assert cli.run(["report", str(folder), "--out", str(out)]) == 0
    assert "warning: the embeddings are not where they were: the page has no map" in capsys.readouterr().err
    html, data = out.read_text(encoding="utf-8"), json.loads(out.with_suffix(".json").read_text())
    assert (data["map"], data["audit"]) == (None, None)
    assert data["labels"][0]["neighbours"] == []
    assert "There is no map and there are no neighbours" in html
    assert "data:image/jpeg" in html  # the pictures are still where they were
    assert [part["name"] for part in data["labels"][0]["baseline"]] == ["tested"]
    (tmp_path / "alone" / "emb").mkdir()
    command.run(Report(folder=folder, out=out))
    assert "the embeddings cannot be read any more" in out.read_text(encoding="utf-8")
    whole = report_folders.reported(made / "probe", tmp_path / "whole.html")[1]
    for name in ("roc", "precision_recall", "calibration", "confusion", "results", "subgroups"):
        assert data["labels"][0][name] == whole["labels"][0][name]
