"""What is seldom asked for when weights are converted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Choices:
    """What is seldom asked for.

    Attributes:
        output: The key of a SavedModel's output to take, where it gives several.
        tensorflow: Run a SavedModel in TensorFlow too, in a process of its own.
        prefix: What comes before a network's names, where a file of weights holds several networks.
    """

    output: str | None = None
    tensorflow: bool = False
    prefix: str | None = None


USUAL = Choices()
