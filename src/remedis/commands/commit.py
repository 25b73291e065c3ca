"""Which commit of the source is running, where it runs from a checkout."""

from __future__ import annotations

from pathlib import Path

import remedis


def commit() -> str | None:
    """Return the commit's hash; None for an installed package."""
    git = Path(remedis.__file__).parents[2] / ".git"
    try:
        head = (git / "HEAD").read_text(encoding="ascii").strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        loose = git / name
        if loose.exists():
            return loose.read_text(encoding="ascii").strip()
        packed = (git / "packed-refs").read_text(encoding="ascii").splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {name}")), None)
    except (OSError, UnicodeDecodeError):
        return None
