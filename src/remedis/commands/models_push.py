"""`remedis models push`: a checkpoint to the Hugging Face Hub."""

from __future__ import annotations

from remedis.console import QUIET, Console, Result
from remedis.models.checkpoint import read_config
from remedis.models.hub import push
from remedis.options.models import ModelsPush


def run(options: ModelsPush, console: Console = QUIET) -> Result:
    """Put the checkpoint there.

    Raises:
        RemedisError: The folder is no checkpoint, its licence forbids it, or the Hub refuses.
    """
    ours = read_config(options.checkpoint).get("remedis", {})
    if not ours.get("licence"):
        console.warn("the licence of the weights is not known; be sure that you may pass them on")
    where = push(options.checkpoint, options.repo, private=options.private)
    text = f"pushed {options.checkpoint} to {options.repo}: {where}\nnext: remedis models pull {options.repo} --out DIR"
    return Result(text=text, data={"repo": options.repo, "commit": where})
