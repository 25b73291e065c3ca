"""A Python that has TensorFlow, and programs run by it in processes of their own. TensorFlow is never imported here."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from remedis.errors import MissingExtraError, StoppedError, UsageError

VARIABLE = "REMEDIS_TF_PYTHON"


def tensorflow_python() -> str | None:
    """Return the interpreter that REMEDIS_TF_PYTHON names, else this one where it has TensorFlow, else None."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    return sys.executable if importlib.util.find_spec("tensorflow") is not None else None


def require_tensorflow_python(needed_for: str) -> str:
    """Return a Python that has TensorFlow.

    Args:
        needed_for: What needs it, for the message.

    Raises:
        MissingExtraError: There is none; says the pip line.
        UsageError: REMEDIS_TF_PYTHON names no file.
    """
    python = tensorflow_python()
    if python is None:
        raise MissingExtraError("tensorflow", "tf", needed_for=needed_for)
    if not Path(python).is_file():
        raise UsageError(f"{python!r} is no file, a Python that has TensorFlow was expected", where=VARIABLE)
    return python


def run_program(python: str, program: Path, *words: str) -> None:
    """Run a script to its end, on the processor, without a word on the terminal.

    Raises:
        StoppedError: It ended with an error; gives its last line.
    """
    command = [python, str(program), *words]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
        env=environment(python),
    )  # fmt: skip
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise StoppedError(f"TensorFlow ended with status {done.returncode}: {(lines or [''])[-1][:500]}", where=python)


def environment(python: str) -> dict[str, str]:
    """Return a process's environment: nothing of ours (a password, packages of this Python), no GPU, no chatter."""
    ours = ("REMEDIS_", "PHYSIONET") if python == sys.executable else ("REMEDIS_", "PHYSIONET", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0"}
