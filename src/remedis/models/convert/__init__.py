"""Convert published weights into checkpoints, each with a proof, without TensorFlow.

    encoder = convert(Path("cxr-50x1-remedis-m"), Path("ckpt"))

A SavedModel or a TF1 module is its own witness: its stored graph is executed. Bare weights (npz, h5, state dicts) have
no graph; there another library's network is the witness, where one is installed.
"""

from __future__ import annotations

from pathlib import Path

from remedis.console import QUIET, Console
from remedis.errors import ConvertError, UsageError
from remedis.models.card import Facts
from remedis.models.contract import Range
from remedis.models.convert.bare import is_bare
from remedis.models.convert.bare_convert import convert_bare
from remedis.models.convert.choices import USUAL, Choices
from remedis.models.convert.savedmodel_convert import convert_savedmodel
from remedis.models.encoder import Encoder
from remedis.models.savedmodel import is_savedmodel

__all__ = ["Choices", "convert"]


def convert(
    source: Path,
    out: Path,
    *,
    name: str | None = None,
    input_range: Range | None = None,
    facts: Facts | None = None,
    size: int | None = None,
    choices: Choices = USUAL,
    console: Console = QUIET,
) -> Encoder:
    """Write a checkpoint that computes what the original computes, with its proof, and return its encoder.

    Args:
        source: A SavedModel's or TF1 module's folder, or a file of weights.
        out: Folder to write, new or empty.
        name: What people will call it; the source's name without it.
        input_range: The range that images have, where the original leaves it open.
        facts: What is known about the weights; known files are recognised by their hashes without it.
        size: Side of the square that images are resized to, where the original leaves it free; 224 without it.
        choices: What is seldom asked for.
        console: Where progress goes.

    Raises:
        ConvertError: The files are damaged, or no network of ours computes what they compute.
        FolderError: `out` is used.
        MissingExtraError: A package is needed and not installed.
        StoppedError: The disk is full; nothing is left half-written.
        UsageError: A choice does not fit the source.
    """
    common = {"name": name, "input_range": input_range, "facts": facts, "size": size, "console": console}
    if is_savedmodel(source):
        _refuse(choices.prefix, "--prefix is for files of weights that hold several networks", source)
        return convert_savedmodel(source, out, **common, choices=choices)  # type: ignore[arg-type]
    if is_bare(source):
        _refuse(choices.output, "--output is for SavedModels with several outputs", source)
        _refuse(choices.tensorflow, "--witness tensorflow is for SavedModels", source)
        return convert_bare(source, out, **common, prefix=choices.prefix)  # type: ignore[arg-type]
    if not source.exists():
        raise ConvertError("there is no such file or folder", where=source)
    raise ConvertError(
        "is nothing that can be converted: a folder with saved_model.pb and variables/, or a .npz, .h5, .safetensors, "
        ".pth, .pt or .bin file was expected",
        where=source,
    )


def _refuse(given: object, words: str, source: Path) -> None:
    if given:
        raise UsageError(f"{words}, this is another kind of source; leave it out", where=source)
