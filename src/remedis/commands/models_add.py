"""`remedis models add`: a checkpoint of one's own under a name."""

from __future__ import annotations

import shutil

from remedis.console import QUIET, Console, Result
from remedis.errors import CheckpointError, FolderError, UsageError
from remedis.models import zoo
from remedis.models.architectures import parse
from remedis.models.checkpoint import load_checkpoint
from remedis.models.store import Store, check_name, home
from remedis.options.zoo import ModelsAdd


def run(options: ModelsAdd, console: Console = QUIET) -> Result:
    """Copy (or link) the checkpoint into the store, after it was opened and checked.

    Raises:
        UsageError: The name cannot be one, or belongs to a published model or a network.
        CheckpointError: The folder is no checkpoint, or damaged.
        FolderError: The name is taken.
    """
    _refuse_name(options.name)
    store = Store(home(options.home))
    source = options.checkpoint.expanduser()
    if not source.is_dir():
        raise CheckpointError("there is no such folder; a checkpoint was expected", where=options.checkpoint)
    with store.lock(options.name, console):
        if store.folder(options.name).exists():
            raise FolderError("the name is taken; choose another --name or remove the folder", where=options.name)
        encoder = load_checkpoint(source)
        with store.new_model(options.name) as pending:
            if options.link:
                pending.symlink_to(source.resolve(), target_is_directory=True)
            else:
                shutil.copytree(source, pending)
                load_checkpoint(pending)
    folder = store.folder(options.name)
    how = "linked" if options.link else "copied"
    shown = options.name if options.home is None else folder
    text = f"{how} to {folder}: {encoder.network}\nnext: remedis embed IMAGES --encoder {shown} --out emb"
    data = {"name": options.name, "folder": str(folder), "weights_sha256": encoder.hash}
    return Result(text=text, data=data)


def _refuse_name(name: str) -> None:
    check_name(name)
    if name.lower() in {known.lower() for known in zoo.names()}:
        raise UsageError(f"{name!r} is a published model's name; choose another --name")
    if parse(name) is not None:
        raise UsageError(f"{name!r} is a network's name; choose another --name")
