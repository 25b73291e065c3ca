"""A fine-tuned model's folder: written and opened, found in a run and in a grid, damaged in every way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from remedis.errors import CheckpointError, InputError, RemedisError
from remedis.models.architectures import architecture
from remedis.models.contract import Contract
from remedis.models.load import load, random_encoder
from remedis.train import finetuned
from remedis.train.finetuned import Classified, is_finetuned
from remedis.train.heads import Classifier
from remedis.train.labels import Learnt

LABELS = (Learnt("sick", ("no", "yes")), Learnt("kind", ("a", "b", "c")))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "best"
    folder.mkdir()
    encoder = random_encoder(architecture("resnet18-cifar"), Contract(size=8), seed=0)
    head = Classifier(encoder.width, 4)
    head.initialise(torch.Generator().manual_seed(0))
    finetuned.write(folder, encoder, head, LABELS, {"step": 7})
    return folder


@pytest.fixture
def copied(written: Path, tmp_path: Path) -> Path:
    """A copy whose weights are a link, to be damaged."""
    folder = tmp_path / "best"
    folder.mkdir()
    for file in written.iterdir():
        if file.name == "model.safetensors":
            (folder / file.name).symlink_to(file)
        else:
            shutil.copy(file, folder / file.name)
    return folder


def test_a_model_is_an_encoder_with_a_head_beside_it(written: Path) -> None:
    model = finetuned.load(written)
    assert model.labels == LABELS
    assert model.folder == written
    assert not model.network.training
    assert json.loads((written / "head.json").read_text())["step"] == 7
    encoder = load(written)
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    head = load_file(written / "head.safetensors")
    expected = encoder(images) @ head["weight"].T + head["bias"]
    with torch.no_grad():
        assert torch.allclose(model.network(images), expected, rtol=1e-5, atol=1e-6)


def test_the_head_multiplies_in_full_precision_where_the_backbone_does_not() -> None:
    head = Classifier(4, 2)
    network = Classified(torch.nn.Linear(3, 4), head)
    with torch.autocast("cpu", torch.bfloat16):
        found = network(torch.rand(2, 3))
    assert found.dtype == torch.float32


def test_a_run_gives_the_chosen_model_else_its_last(copied: Path, tmp_path: Path) -> None:
    assert finetuned.load(tmp_path).folder == copied
    copied.rename(tmp_path / "last")
    assert finetuned.load(tmp_path).folder == tmp_path / "last"
    shutil.copytree(tmp_path / "last", tmp_path / "best", symlinks=True)
    assert finetuned.load(tmp_path).folder == tmp_path / "best"
    assert is_finetuned(tmp_path)


def test_a_grid_gives_the_chosen_cells(copied: Path, tmp_path: Path) -> None:
    cell = tmp_path / "out" / "grid" / "lr-0.1" / "best"
    cell.parent.mkdir(parents=True)
    copied.rename(cell)
    (tmp_path / "out" / "grid.json").write_text('{"chosen": "lr-0.1"}')
    assert finetuned.load(tmp_path / "out").folder == cell
    (tmp_path / "out" / "grid.json").write_text('{"chosen": "lr-0.2"}')
    with pytest.raises(InputError, match="a fine-tuned model was expected; remedis finetune makes one"):
        finetuned.load(tmp_path / "out")


@pytest.mark.parametrize(
    "text", ['{"chosen": "../../x"}', "[1]", '{"chosen": ""}', "{}"], ids=["path", "list", "empty", "none"]
)
def test_a_grid_that_names_no_cell_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "grid.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"the name of a cell was expected"):
        finetuned.load(tmp_path)


def test_another_folder_is_no_model(tmp_path: Path) -> None:
    assert not is_finetuned(tmp_path)
    with pytest.raises(InputError, match="a fine-tuned model was expected; remedis finetune makes one"):
        finetuned.load(tmp_path)


def _refused(folder: Path, message: str) -> None:
    with pytest.raises(RemedisError, match=message) as refused:
        finetuned.load(folder)
    assert "\n" not in str(refused.value)
    assert str(folder) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "JSON was expected"),
        ("[]", "head.json is of another version than 1"),
        ('{"format": 2, "labels": []}', "head.json is of another version than 1; update remedis"),
        ('{"format": 1}', "head.json and head.safetensors do not agree"),
        ('{"format": 1, "labels": 3}', "head.json and head.safetensors do not agree"),
        ('{"format": 1, "labels": [{"label": "sick"}]}', "head.json and head.safetensors do not agree"),
        ('{"format": 1, "labels": [{"label": "sick", "classes": ["a", "b"]}]}', "size mismatch.*finetune again"),
    ],
    ids=["cut", "list", "version", "no labels", "number", "no classes", "other classes"],
)  # fmt: skip
def test_a_damaged_head_json_is_one_line(copied: Path, text: str, message: str) -> None:
    (copied / "head.json").write_text(text)
    _refused(copied, message)


def test_a_damaged_or_missing_head_is_one_line(copied: Path) -> None:
    head = copied / "head.safetensors"
    whole = head.read_bytes()
    for damage in (b"", whole[:20], whole[:-7], bytes(len(whole))):
        head.write_bytes(damage)
        _refused(copied, "run remedis finetune again")
    save_file({"weight": torch.zeros(4, 512)}, head)
    _refused(copied, "do not agree")
    head.unlink()
    _refused(copied, "head.safetensors is missing; run remedis finetune again")


def test_a_head_without_its_encoder_is_refused(copied: Path) -> None:
    (copied / "config.json").unlink()
    _refused(copied, "config.json")
