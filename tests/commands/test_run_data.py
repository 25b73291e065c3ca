"""`remedis run` finds its data in each of their forms, and says what it looked for where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from official_runs import CLASSES, Spy, a_folder, png, spy_on_training, trained_on
from references import written_cifar, written_tfrecord
from remedis.commands import run as command
from remedis.errors import RemedisError
from remedis.options.run import OfficialRun


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return spy_on_training(monkeypatch)


def test_a_folder_with_labels(spy: Spy, tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "skin")
    manifest = trained_on(spy, tmp_path, "skin")
    assert manifest.root == folder
    assert manifest.data_set == "skin"
    assert manifest.table["image"].to_pylist()[:2] == ["images/000.png", "images/001.png"]
    assert manifest.table["dx"].to_pylist() == [CLASSES[number % 3] for number in range(8)]
    assert manifest.table["split"].to_pylist() == ["train"] * 6 + ["validation", "test"]


def test_a_data_set_of_tensorflow_datasets(spy: Spy, tmp_path: Path) -> None:
    records = {"train": [[{"image": [png(0)], "label": [1]}], [{"image": [png(1)], "label": [0]}]]}
    features = {"image": written_tfrecord.IMAGE, "label": written_tfrecord.class_label(2)}
    for version in ("1.0.0", "1.10.0", "1.9.0"):
        written_tfrecord.data_set(
            tmp_path / "cells" / version, splits=records, features=features, labels={"label": ["benign", "malignant"]}
        )
    a_folder(tmp_path, "cells/more")  # what is no version is not looked at
    manifest = trained_on(spy, tmp_path, "cells")
    assert manifest.root == tmp_path / "cells" / "1.10.0"
    assert manifest.table["label"].to_pylist() == ["malignant", "benign"]
    spy.calls.clear()
    assert trained_on(spy, tmp_path, "cells:1.9.0").root == tmp_path / "cells" / "1.9.0"


def test_what_the_data_say_of_themselves_is_passed_on(
    spy: Spy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = {"train": [[{"image": [png(number)], "label": [number]} for number in range(2)]]}
    features = {"image": written_tfrecord.IMAGE, "label": written_tfrecord.class_label(2)}
    written_tfrecord.data_set(tmp_path / "cells" / "1.0.0", splits=records, features=features)
    trained_on(spy, tmp_path, "cells")
    said = capsys.readouterr().err
    assert "the picture is the feature image" in said
    assert "label has no names" in said  # a warning: label.labels.txt is not there


@pytest.mark.parametrize("below", ["cifar-10-batches-bin", ".", "cifar10"])
def test_cifar10_s_own_files(spy: Spy, tmp_path: Path, below: str) -> None:
    folder = tmp_path / below
    folder.mkdir(exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        (folder / f"{name}.bin").write_bytes(written_cifar.binary(pixels, [3, 9]))
    manifest = trained_on(spy, tmp_path, "cifar10")
    assert manifest.root == folder
    assert len(manifest) == 12
    assert manifest.table["label"].to_pylist()[:2] == ["cat", "truck"]
    assert manifest.table["split"].to_pylist() == ["train"] * 10 + ["test"] * 2


def test_cifar10_s_files_are_no_other_data_set(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(bytes(3073))
    with pytest.raises(RemedisError, match="there is no data set 'cifar100'"):
        command.find_data(tmp_path, "cifar100")


def test_the_folder_of_tensorflow_datasets_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert command.data_dir(OfficialRun()) == tmp_path / "tensorflow_datasets"
    assert command.data_dir(OfficialRun(data_dir="~/data")) == tmp_path / "data"
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "other"))
    assert command.data_dir(OfficialRun()) == tmp_path / "other"


def test_a_data_set_that_is_not_there_lists_what_was_looked_for(tmp_path: Path) -> None:
    a_folder(tmp_path, "cifar-10", labels=False)
    (tmp_path / "cells/small/1.0.0").mkdir(parents=True)
    with pytest.raises(RemedisError) as caught:
        command.find_data(tmp_path, "cifar10")
    message = str(caught.value)
    for part in (str(tmp_path), "cifar10/VERSION/dataset_info.json", "cifar-10-batches-bin", "cifar10/labels.csv"):
        assert part in message
    assert message.endswith("did you mean cifar-10?")
    with pytest.raises(RemedisError, match=r"there is no data set 'cells' in it.*did you mean cells/small"):
        command.find_data(tmp_path, "cells")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RemedisError, match="images in skin; it holds no folder"):
        command.find_data(tmp_path / "empty", "skin")
    with pytest.raises(RemedisError, match="there is no such folder; --data_dir"):
        command.find_data(tmp_path / "none", "skin")


def test_one_damaged_picture_is_named_rather_than_missed(tmp_path: Path) -> None:
    (tmp_path / "skin").mkdir()
    (tmp_path / "skin" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    with pytest.raises(RemedisError, match=r"a\.png"):
        command.find_data(tmp_path, "skin")
