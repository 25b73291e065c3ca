"""`remedis models pull`: a checkpoint from the Hugging Face Hub."""

from __future__ import annotations

from remedis.console import QUIET, Console, Result
from remedis.models.hub import pull
from remedis.options.models import ModelsPull


def run(options: ModelsPull, console: Console = QUIET) -> Result:
    """Get the checkpoint and check it.

    Raises:
        RemedisError: The Hub cannot be reached, or what came is no checkpoint; nothing is left.
    """
    encoder = pull(options.repo, options.out, revision=options.revision)
    text = (
        f"wrote {options.out}: {encoder.name} · {encoder.parameters_count / 1e6:.1f} M parameters · "
        "weights checked\n"
        f"next: remedis embed IMAGES --encoder {options.out} --out emb"
    )
    return Result(text=text, data={"out": str(options.out), "encoder": encoder.name, "weights_sha256": encoder.hash})
