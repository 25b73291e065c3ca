"""What both examples share: the command line's verbs as a function, and simulated images where no folder is given."""

from __future__ import annotations

from pathlib import Path

from remedis import cli

SMALL = ("--image-size", "64", "--train-steps", "20", "--train-batch-size", "16")
"""Settings of a quick look; without them the recipes take the sizes of the real data."""


def remedis(*words: object) -> None:
    """Run one verb; stop where it refuses. Status 1 (some images set aside) goes on."""
    status = cli.run([str(word) for word in words])
    if status not in (0, 1):
        raise SystemExit(status)


def simulated(work: Path, findings: str, number: int) -> Path:
    """Make simulated radiographs with these findings, once, and return their manifest."""
    folder = work / "simulated"
    remedis("phantoms", "--out", folder, "--number", number, "--size", 96, "--findings", findings, "--severity", 0.8)
    return folder / "manifest.parquet"


def settings(folder: str | None) -> tuple[str, ...]:
    """Return the options of a run: those of the recipe on real images, a quick look on simulated ones."""
    return () if folder else SMALL
