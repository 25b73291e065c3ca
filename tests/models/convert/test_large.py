"""Larger networks, written by TensorFlow when the test runs: the same exactness, and what a conversion costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MAKE = Path(__file__).parents[2] / "savedmodels" / "make.py"
NAMES = [
    "r26x2-object-raw-after-free",
    "r50x1-bare-raw-before-free",
    "r50x1-hub-scaled-after-64",
    "r50x1-object-raw-before-free",
    "r50x1-object-scaled-pooled-free",
    "r152x2-bare-raw-before-free",
]
CONVERT = """
import resource, sys
from remedis import cli
status = cli.run(["models", "convert", sys.argv[1], "--out", sys.argv[2], "--quiet"])
assert "tensorflow" not in sys.modules
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(status)
"""


def run(command: list[str], cwd: Path | None = None) -> str:
    """Run a program and return what it printed."""
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_larger_network_converts_by_itself(name: str, tmp_path: Path) -> None:
    python = os.environ.get("REMEDIS_TF_PYTHON")
    if not python:
        pytest.skip("REMEDIS_TF_PYTHON is not set: this test needs an environment with TensorFlow (make tf-env)")
    run([python, str(MAKE), "--only", name, "--out", str(tmp_path)], cwd=MAKE.parent)
    out = tmp_path / "ckpt"
    printed = run([sys.executable, "-c", CONVERT, str(tmp_path / name), str(out)])
    assert int(printed.split()[-1]) < 6 * 2**20  # KiB at the peak
    expected = json.loads((tmp_path / f"{name}.json").read_text())["expected"]
    config = json.loads((out / "config.json").read_text())["remedis"]
    assert config["network"] == expected["architecture"]
    assert config["contract"]["map"] == expected["map"]
    proof = json.loads((out / "proof.json").read_text())
    rows = [row for row in proof["rows"] if row["output"] in ("map", "embedding")]
    assert len({row["size"] for row in rows}) == (1 if expected["sizes"] == 64 else 2)
    for row in rows:
        assert row["relative"] < 1e-9
        assert row["ours_float32"] < max(1e-5, 3 * row["original_float32"])
