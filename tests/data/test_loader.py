"""The loader: batches in order, depths joined without loss, and workers that end with the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from remedis.data import manifest
from remedis.data.loader import EndWith, Loader, View, stack
from remedis.data.manifest import Manifest
from remedis.data.resize import resize


def rows_of(folder: Path, count: int) -> Manifest:
    for number in range(count):
        pixels = np.full((8, 8, 3), number, np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    table = pa.table({"image": [f"{number}.png" for number in range(count)]})
    manifest.write(table, folder / "m.parquet", {"root": "."})
    return manifest.read(folder / "m.parquet")


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order_with_the_rejected_named(tmp_path: Path, workers: int) -> None:
    rows = rows_of(tmp_path, 7)
    (tmp_path / "4.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    batches = [range(0, 3), range(3, 6), range(6, 7)]
    found = list(Loader(rows, batches, View("dicom-display", 8, "squash"), workers=workers))
    assert [batch.rows for batch in found] == batches
    assert [batch.images[:, 0, 0, 0].tolist() for batch in found] == [[0, 1, 2], [3, 5], [6]]
    assert [batch.read for batch in found] == [[True] * 3, [True, False, True], [True]]
    assert [len(batch.reasons) for batch in found] == [0, 1, 0]
    assert found[0].images.dtype == torch.uint8


def test_depths_are_joined_without_loss() -> None:
    eight, sixteen = np.full((2, 2, 3), 51, np.uint8), np.full((2, 2, 3), 12345, np.uint16)
    joined = stack([eight, sixteen], 2)
    assert joined.dtype == np.uint16
    assert joined[0, 0, 0, 0] / 65535 == 51 / 255
    assert joined[1, 0, 0, 0] == 12345
    assert stack([], 5).shape == (0, 5, 5, 3)
    assert stack([eight, eight], 2).dtype == np.uint8


def test_the_view_decides_the_square(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    rows = Manifest(pa.table({"image": ["a.png"]}), tmp_path, {}, None)
    for fit in ("squash", "pad", "crop"):
        (batch,) = Loader(rows, [range(1)], View("dicom-display", 10, fit), workers=0)
        np.testing.assert_array_equal(batch.images[0].numpy(), resize(pixels, 10, fit))


def test_a_worker_ends_when_its_parent_is_gone() -> None:
    program = (
        "import os, subprocess, sys\n"
        "child = 'import sys, time; from remedis.data.loader import EndWith; EndWith(int(sys.argv[1]))(0); "
        "print(1, flush=True); time.sleep(600)'\n"
        "process = subprocess.Popen([sys.executable, '-c', child, str(os.getpid())], stdout=subprocess.PIPE)\n"
        "process.stdout.readline(); print(process.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    end = time.monotonic() + 30
    while _is_working(child) and time.monotonic() < end:
        time.sleep(0.2)
    assert not _is_working(child)


def _is_working(pid: int) -> bool:
    """Whether a process is there and more than a dead entry that nobody has collected."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not (status.exists() and "State:\tZ" in status.read_text())


def test_a_worker_of_a_process_that_is_gone_already_ends_at_once() -> None:
    program = "import time; from remedis.data.loader import EndWith; EndWith(1 << 22)(0); time.sleep(60)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=50).returncode == 1
    assert EndWith(os.getppid()).parent == os.getppid()
