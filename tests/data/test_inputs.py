"""Whatever a person names as images is opened, or refused with the verb that takes it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from remedis.data import inputs, manifest, pack
from remedis.errors import InputError, RemedisError


def picture(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 6), shade).save(path)
    return path


def test_a_manifest_a_pack_a_folder_and_a_file_name_the_same_picture(tmp_path: Path) -> None:
    image = picture(tmp_path / "set/a.png")
    manifest.write(pa.table({"image": ["a.png"]}), tmp_path / "m.parquet", {"root": "set", "data_set": "set"})
    list(pack.write(manifest.read(tmp_path / "m.parquet"), tmp_path / "p.arrow"))
    for given in (tmp_path / "m.parquet", tmp_path / "p.arrow", tmp_path / "set", image):
        found = inputs.open_any(given)
        assert found.table["image"].to_pylist() == ["a.png"]
        source = found.sources(range(1))[0]
        assert source.path == (tmp_path / "p.arrow" if given.suffix == ".arrow" else image)
    assert inputs.open_any(tmp_path / "set").data_set == "set"
    assert inputs.open_any(image).data_set == "a"


def test_a_folder_given_relative_is_found_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(tmp_path / "set/a.png")
    monkeypatch.chdir(tmp_path)
    found = [inputs.open_any(Path(given)) for given in ("set", "set/a.png")]
    monkeypatch.chdir("/")
    assert [each.sources(range(1))[0].path for each in found] == [image, image]


def test_a_film_alone_is_a_row_a_frame() -> None:
    found = inputs.open_any(Path(str(get_testdata_file("SC_rgb_rle_2frame.dcm"))))
    assert [source.frame for source in found.sources(range(len(found)))] == [0, 1]


def test_conditions_and_another_root_hold_for_manifests(tmp_path: Path) -> None:
    picture(tmp_path / "new/b.png")
    table = pa.table({"image": ["a.png", "b.png"], "site": ["s", "t"]})
    manifest.write(table, tmp_path / "m.parquet", {"root": "old"})
    found = inputs.open_any(tmp_path / "m.parquet", root=tmp_path / "new", where=["site=t"])
    assert [source.path for source in found.sources(range(len(found)))] == [tmp_path / "new/b.png"]


def test_what_is_no_images_is_refused_with_the_verb_that_takes_it(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image\n")
    (tmp_path / "emb").mkdir()
    (tmp_path / "emb/_embeddings.json").write_text(json.dumps({}))
    (tmp_path / "enc").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "enc" / name).touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    cases = {
        "gone": "no such file or folder", "t.csv": "remedis index folder DIR --labels", "emb": "folder of embeddings",
        "enc": "checkpoint or a probe", "empty": "no image in it or below it", "text.png": "is no image",
    }  # fmt: skip
    for name, complaint in cases.items():
        with pytest.raises(InputError, match=complaint) as caught:
            inputs.open_any(tmp_path / name)
        assert caught.value.exit_status == 2
        assert str(caught.value).startswith(str(tmp_path / name))


def test_conditions_that_leave_no_row_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "set/a/1.png")
    picture(tmp_path / "set/b/2.png")
    with pytest.raises(RemedisError, match="no row of 2 is left"):
        inputs.open_any(tmp_path / "set", where=["label=c"])
