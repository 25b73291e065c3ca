"""`remedis run`: the command line of Google's programs, read as one of `remedis pretrain` or `remedis finetune`."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pyarrow.compute as pc

from remedis.commands import finetune, pretrain
from remedis.commands.official_flags import lines, value
from remedis.commands.official_settings import understood
from remedis.commands.official_tuning import tuning, tuning_lines
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import cifar10, folder, tfds
from remedis.data.indexers.complete import Wishes, complete
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.label_table import read_labels
from remedis.data.manifest import Manifest
from remedis.data.splits import split_column
from remedis.errors import InputError, ReadError, nearest
from remedis.options.run import OfficialRun

LABELS = "labels.csv"
CIFAR10 = "cifar10"


def run(options: OfficialRun, console: Console = QUIET) -> Result:
    """Pretrain or fine-tune as the official program would with these flags.

    Returns:
        What `remedis pretrain` or `remedis finetune` returns.

    Raises:
        UsageError: A flag asks for what this version has not, or flags contradict each other.
        InputError: There is no such data set or checkpoint.
        RemedisError: As the other command raises them.
    """
    if value(options, "train_mode") == "finetune":
        tuning(options, 1)  # a flag that is refused is refused before the data are looked for
        root, manifest = _opened(options, tuning_lines(options), console)
        words = split_column(manifest.table).words
        images = manifest.table.num_rows if words is None else pc.sum(pc.equal(words, "train")).as_py()
        return finetune.run_on(manifest, dataclasses.replace(tuning(options, images), manifest=root), console)
    wished = understood(options)
    root, manifest = _opened(options, lines(options), console)
    return pretrain.run_on(manifest, dataclasses.replace(wished, manifest=root), console)


def _opened(options: OfficialRun, said: list[str], console: Console) -> tuple[Path, Manifest]:
    """Return the data set's folder and rows, after what is to be said of the flags and of it."""
    for line in said:
        console.say(line)
    root, found = find_data(data_dir(options), value(options, "dataset"), console)
    found = complete(found, Wishes())
    for line in found.said:
        console.say(line)
    for note in found.notes:
        console.warn(note)
    return root, Manifest(found.table, root.absolute(), found.facts, None)


def data_dir(options: OfficialRun) -> Path:
    """Return the folder of data sets: what was given, else where TensorFlow Datasets keeps them."""
    usual = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(options.data_dir or usual).expanduser()


def find_data(place: Path, name: str, console: Console = QUIET) -> tuple[Path, Indexed]:
    """Return the rows of a data set, and the folder that their paths start from.

    Args:
        place: The folder of data sets.
        name: As TensorFlow Datasets names it (`NAME`, `NAME/CONFIG`, each with or without `:VERSION`), or a folder of
            images there, with a table labels.csv or without.
        console: Where progress is shown.

    Raises:
        InputError: There is no such data set; says what was looked for.
    """
    if not place.is_dir():
        raise InputError("there is no such folder; --data_dir names the folder of data sets", where=place)
    found = tfds.find(place, name)
    if found is not None:
        return found, tfds.index(found, console=console)
    plain = name.partition(":")[0]
    own = place / plain
    batches = (cifar10.find(place) or cifar10.find(own)) if plain == CIFAR10 else None
    if batches is not None:
        return batches, cifar10.index(batches, console=console)
    if (own / LABELS).is_file():
        return own, folder.index(own, labels=read_labels(own / LABELS), console=console)
    try:
        return own, folder.index(own, console=console)
    except ReadError:  # there is one picture, and it is damaged
        raise
    except InputError as error:
        raise _not_found(place, plain) from error


def _not_found(place: Path, name: str) -> InputError:
    looked = [f"{name}/VERSION/dataset_info.json", f"{name}/{LABELS}", f"images in {name}"]
    if name == CIFAR10:
        looked[1:1] = ["cifar-10-batches-py", "cifar-10-batches-bin"]
    hint = nearest(name, _names(place, name)) or "it holds no folder"
    return InputError(f"there is no data set {name!r} in it; looked for {', '.join(looked)}; {hint}", where=place)


def _names(place: Path, name: str) -> list[str]:
    """Return what might have been meant: the folders beside that name, and the configurations below it."""
    beside = [each.name for each in place.iterdir() if each.is_dir() and each.name != name]
    below = [f"{name}/{each.name}" for each in (place / name).glob("*") if each.is_dir()]
    return beside + below
