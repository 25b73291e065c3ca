"""`remedis models convert`: published weights into a checkpoint with a proof."""

from __future__ import annotations

import shutil

from remedis.console import QUIET, Console, Result
from remedis.errors import CheckFailedError, UsageError
from remedis.models.convert import Choices, convert
from remedis.models.encoder import Encoder
from remedis.models.verify import Verified, verify
from remedis.options.convert import ModelsConvert


def run(options: ModelsConvert, console: Console = QUIET) -> Result:
    """Write the checkpoint and repeat its proof from the files.

    Raises:
        RemedisError: The source is damaged or another network, or the folder is used.
    """
    if options.range is not None and not options.range[0] < options.range[1]:
        raise UsageError(f"--range is {options.range[0]:g} {options.range[1]:g}, two rising numbers were expected")
    if options.image_size is not None and options.image_size < 1:
        raise UsageError(f"--image-size is {options.image_size}, at least 1 was expected")
    encoder = convert(
        options.source,
        options.out,
        name=options.name,
        input_range=options.range,
        size=options.image_size,
        choices=Choices(options.output, options.witness == "tensorflow", options.prefix),
        console=console,
    )
    for note in encoder.facts.notes:
        console.warn(note)
    try:
        found = verify(options.out, console)
    except CheckFailedError:
        shutil.rmtree(options.out)  # a checkpoint that does not hold what it promises is not left about
        raise
    return _result(options, encoder, found)


def _result(options: ModelsConvert, encoder: Encoder, found: Verified) -> Result:
    contract = encoder.contract
    low, high = contract.range
    pooled = "pooled by the original" if contract.pool == "original" else "pooled by its mean"
    text = (
        f"wrote {options.out}: {encoder.network} · images in [{low:g}, {high:g}] ({contract.range_source}) · map "
        f"{contract.map}, {pooled} · {encoder.parameters_count / 1e6:.1f} M parameters\n"
        f"proof: map {found.float64['map']:.1e} and embedding {found.float64['embedding']:.1e} from {found.witness} in "
        f"float64, at {' and '.join(str(size) for size in found.sizes)} px\n"
        f"next: remedis embed IMAGES --encoder {options.out} --out emb"
    )
    data = {
        "out": str(options.out),
        "encoder": encoder.name,
        "network": encoder.network,
        "contract": contract.to_json(),
        "weights_sha256": encoder.hash,
        "notes": list(encoder.facts.notes),
        "float64": dict(found.float64),
        "float32": dict(found.float32),
    }
    return Result(text=text, data=data)
