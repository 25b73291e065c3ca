"""docs/guides/look-at-a-dicom.md shows what its commands really print."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import remedis

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "look-at-a-dicom.md"


def commands_and_output(page: str) -> list[tuple[str, str]]:
    """Each command behind a $ with the indented lines under it."""
    found: list[tuple[str, list[str]]] = []
    inside = False
    for line in page.splitlines():
        if line.startswith("    $ "):
            found.append((line[6:], []))
            inside = True
        elif inside and (line.startswith("    ") or not line):
            found[-1][1].append(line[4:])
        else:
            inside = False
    return [(command, "\n".join(lines).strip("\n")) for command, lines in found]


@pytest.mark.skipif(sys.platform == "win32", reason="the guide's commands are for a POSIX shell")
def test_the_guide_shows_what_its_commands_print(tmp_path: Path) -> None:
    bin_ = Path(sys.executable).parent
    source = Path(remedis.__file__).parents[1]
    environment = {**os.environ, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(source)}
    shown = commands_and_output(GUIDE.read_text())
    assert len(shown) == 4
    for command, expected in shown:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        printed = "\n".join(line.rstrip() for line in (done.stdout + done.stderr).splitlines())
        assert printed == expected, command
