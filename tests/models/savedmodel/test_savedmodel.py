"""Reading SavedModels against what TensorFlow wrote, and refusing what is damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from remedis.errors import ConvertError
from remedis.models.difference import relative
from remedis.models.graph import run
from remedis.models.savedmodel import open_savedmodel
from remedis.models.savedmodel.bundle import Bundle
from savedmodels import rebuild, seeded

NAME = "r26x1-hub-scaled-after-free"
DATA = "variables/variables.data-00000-of-00001"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as TensorFlow wrote it; nobody may change it."""
    return rebuild.rebuild(NAME, tmp_path_factory.mktemp("savedmodel") / "original")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """Return a copy to damage."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def parts(name: str) -> dict[int, tuple[str, list[int]]]:
    """Return where each variable begins in the data file, from the record of what was written."""
    found, at = {}, 0
    for part in rebuild.record(name)["files"][DATA]["parts"]:
        if isinstance(part, int):
            at += part
        else:
            found[at] = (part[0], part[1])
            at += 4 * int(np.prod(part[1]))
    return found


def test_every_variable_is_read_as_it_was_written(folder: Path) -> None:
    bundle = Bundle(folder / "variables" / "variables.index")
    places = {entry.offset: key for key, entry in bundle.entries.items() if entry.dtype == "float32"}
    written = parts(NAME)
    assert set(places) == set(written)
    found = rebuild.record(NAME)
    for offset, (name, shape) in written.items():
        expected = seeded.value(found["seed"], name, shape, found["ready_eps"])
        np.testing.assert_array_equal(bundle.read(places[offset]), expected)


def test_a_call_and_a_signature_give_the_same_outputs(tmp_path: Path) -> None:
    name = "r26x1-hub-scaled-after-64"
    saved = open_savedmodel(rebuild.rebuild(name, tmp_path / "original"))
    images = torch.from_numpy(rebuild.images(name, 64))
    found = []
    for way in saved.ways:
        graph = way.read()
        outputs = run(graph, images, saved.bundle.read, dtype=torch.float32)
        found.append(outputs[next(iter(graph.outputs.values()))])
    assert [way.origin for way in saved.ways] == ["__call__", "signature serving_default"]
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)
    theirs = torch.from_numpy(rebuild.outputs(name)["tensorflow_64"])
    assert relative(found[0][..., :: rebuild.record(name)["every"]], theirs) < 1e-4


def test_the_graph_is_flat_and_in_order(folder: Path) -> None:
    saved = open_savedmodel(folder)
    assert saved.kind == "TensorFlow 2 SavedModel"
    assert saved.version.startswith("2.")
    assert saved.ways[0].origin == "__call__"
    graph = saved.ways[0].read()
    assert graph.shape == (None, None, None, 3)
    assert sum(node.op == "Conv2D" for node in graph.nodes.values()) == 29  # R26: 1 + 8 units of 3 + 4 projections
    seen: set[str] = set()
    for node in graph.nodes.values():  # each after those it takes its inputs from
        assert {ref.node for ref in node.inputs} <= seen
        seen.add(node.name)


@pytest.mark.parametrize(
    ("path", "change", "said"),
    [
        ("saved_model.pb", lambda content: b"", "holds no graph"),
        ("saved_model.pb", lambda content: content[: len(content) // 2], "damaged or cut off|do not fit|nothing in it"),
        ("saved_model.pb", lambda content: b"<html>" + content, "is no SavedModel"),
        ("variables/variables.index", lambda content: content[:-1], "last bytes are others"),
        ("variables/variables.index", lambda content: content[:40], "has 40 bytes"),
        ("variables/variables.index", lambda content: flipped(content, 100), "does not fit its crc32c"),
        (DATA, lambda content: content[: len(content) // 2], "bytes, .* ends at"),
    ],
    ids=["empty", "half", "other", "index cut", "index short", "index bit", "data cut"],
)  # fmt: skip
def test_damaged_files_are_refused(copy: Path, path: str, change: Callable[[bytes], bytes], said: str) -> None:
    place = copy / path
    place.write_bytes(change(place.read_bytes()))
    with pytest.raises(ConvertError, match=said) as caught:
        open_savedmodel(copy).ways[0].read()
    assert str(copy) in str(caught.value)


def flipped(content: bytes, at: int) -> bytes:
    """Return the bytes with one bit of one byte changed."""
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("where", [0, 1, 77, -1])
def test_one_bit_of_a_variable_is_noticed(copy: Path, where: int) -> None:
    bundle = Bundle(copy / "variables" / "variables.index")
    key, entry = max(
        ((key, entry) for key, entry in bundle.entries.items() if entry.dtype == "float32"), key=lambda one: one[1].size
    )
    place = copy / DATA
    place.write_bytes(flipped(place.read_bytes(), entry.offset + where % entry.size))
    with pytest.raises(ConvertError, match="do not fit their crc32c"):
        bundle.read(key)


@pytest.mark.parametrize("path", ["saved_model.pb", "variables/variables.index", DATA])
def test_missing_files_are_named(copy: Path, path: str) -> None:
    (copy / path).unlink()
    with pytest.raises(ConvertError, match=Path(path).name):
        open_savedmodel(copy)
