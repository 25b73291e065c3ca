"""`remedis models verify`: a converted checkpoint's proof, repeated."""

from __future__ import annotations

from dataclasses import asdict

from remedis.console import QUIET, Console, Result
from remedis.models.load import folder_of
from remedis.models.verify import Verified, verify
from remedis.options.convert import ModelsVerify


def run(options: ModelsVerify, console: Console = QUIET) -> Result:
    """Compute the outputs again and compare.

    Raises:
        CheckFailedError: Something is not what was proven.
        RemedisError: The folder is no checkpoint, or has no proof.
    """
    found = verify(folder_of(options.checkpoint), console)
    return Result(text=_text(options, found), data={"checkpoint": options.checkpoint, **asdict(found)})


def _text(options: ModelsVerify, found: Verified) -> str:
    sizes = " and ".join(f"{size} px" for size in found.sizes)
    lines = [
        f"{options.checkpoint}: {found.encoder} computes what the original computes",
        f"witness: {found.witness}; {found.images} images, {sizes}",
        f"{'largest difference (relative)':<31}{'float64':>10}{'allowed':>10}{'float32':>10}{'allowed':>10}",
    ]
    for name in ("map", "embedding"):
        allowed64, allowed32 = found.expected[name]
        lines.append(
            f"  {name:<29}{found.float64[name]:>10.1e}{allowed64:>10.0e}{found.float32[name]:>10.1e}{allowed32:>10.1e}"
        )
    return "\n".join(lines)
