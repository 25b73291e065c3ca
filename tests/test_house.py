"""The house keeps its form: what is public exists, files stay small, no path or word of one machine slips in."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import remedis

SOURCE = Path(remedis.__file__).parent


def test_everything_public_can_be_had_and_is_listed() -> None:
    for name in remedis.__all__:
        assert getattr(remedis, name) is not None
    assert set(dir(remedis)) == set(remedis.__all__)


def test_importing_the_package_leaves_torch_out() -> None:
    program = "import sys, remedis; remedis.read; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_files_and_functions_stay_small() -> None:
    too_long = []
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 350:
            too_long.append(path.name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                docstring = len((ast.get_docstring(node) or "").splitlines())
                if node.end_lineno - node.lineno - docstring > 60:
                    too_long.append(f"{path.name}:{node.name}")
    assert not too_long
