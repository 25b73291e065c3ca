"""How fast images become embeddings, and what waits for what.

    python benchmarks/embed.py
    python benchmarks/embed.py --tensorflow .venv-tf/bin/python        # made by `make tf-env`

Measures in turn, round after round, so that other work on the machine meets all of them alike: the machine's
matrix-product and memory-copy rates, reading (decode and resize, the loader's own workers), encoding in float32 and
bfloat16, reading and encoding together, and TensorFlow with a SavedModel of the same network. Prints medians (the
smallest and largest beside them) and writes them with the machine's facts to results/embed.csv. The images are
simulated.
"""

from __future__ import annotations

import argparse
import csv
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image as Picture
from torch.utils.flop_counter import FlopCounterMode

import remedis
from remedis.data import manifest
from remedis.data.loader import Loader, View
from remedis.models.accelerate import has_bf16, prepare
from remedis.models.encoder import Encoder

HERE = Path(__file__).parent
Measure = Callable[[], float]


def main() -> None:
    """Measure and print."""
    options = parse()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        bench(options, Path(scratch))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="bit-r50x1", help="a network's name (random weights) or a folder")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--images", type=int, default=64, help="images a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--workers", type=int, default=max(1, torch.get_num_threads() - 1))
    parser.add_argument("--stored-side", type=int, default=1024, help="side in pixels of the JPEG files that are read")
    parser.add_argument("--tensorflow", help="python of an environment with TensorFlow")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "embed.csv")
    return parser.parse_args()


def bench(options: argparse.Namespace, scratch: Path) -> None:
    encoder = remedis.load(options.encoder, random_weights=not Path(options.encoder).exists())
    rows = simulated(scratch / "images", options.images, options.stored_side)
    pixels = next(iter(loader_of(rows, options, encoder, batch=options.images))).images
    fp32, bf16 = (prepare(encoder, precision=name) for name in ("fp32", "bf16"))
    measures: dict[str, tuple[str, Measure]] = {
        "matrix product, fp32": ("GFLOP/s", lambda: matrix_product(torch.float32)),
        "memory copy": ("GB/s", memory_copy),
        "reading": ("images/s", lambda: reading(loader_of(rows, options, encoder))),
        "encoding, fp32": ("images/s", lambda: encoding(fp32, pixels, options.batch_size)),
        "together, fp32": ("images/s", lambda: together(loader_of(rows, options, encoder), fp32)),
    }
    if has_bf16():
        measures["matrix product, bf16"] = ("GFLOP/s", lambda: matrix_product(torch.bfloat16))
        measures["encoding, bf16"] = ("images/s", lambda: encoding(bf16, pixels, options.batch_size))
        measures["together, bf16"] = ("images/s", lambda: together(loader_of(rows, options, encoder), bf16))
    facts = machine() | {
        "encoder": options.encoder,
        "image size": f"{options.image_size} px",
        "batch": str(options.batch_size),
    }
    facts |= {"threads": str(torch.get_num_threads()), "workers": str(options.workers)}
    facts |= {"stored images": f"simulated JPEG, {options.stored_side} px"}
    facts["cosine of bf16 and fp32, smallest"] = f"{cosine(bf16(pixels[:8]), fp32(pixels[:8])):.5f}"
    with witness(options, encoder, pixels, scratch) as (tensorflows, version, embeddings):
        measures |= tensorflows
        if embeddings is not None:
            facts["TensorFlow"] = version
            facts["difference of embeddings, TensorFlow and fp32"] = f"{difference(fp32(pixels), embeddings):.1e}"
        found = rounds(measures, options.rounds)
    report(
        found, {name: unit for name, (unit, _) in measures.items()}, facts, flops(encoder, options.image_size), options
    )


def rounds(measures: dict[str, tuple[str, Measure]], count: int) -> dict[str, list[float]]:
    """Return what each measure found, round by round; a first round warms up and is not kept."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(count + 1):
        for name, (_, measure) in measures.items():
            value = measure()
            if number:
                found[name].append(value)
    return found


def simulated(folder: Path, count: int, side: int) -> manifest.Manifest:
    """Return a manifest of simulated pictures: smooth fields of grey with noise, as JPEG."""
    folder.mkdir()
    random = np.random.default_rng(0)
    names = []
    for number in range(count):
        coarse = Picture.fromarray(random.integers(0, 256, (12, 12)).astype(np.uint8)).resize((side, side))
        noisy = np.asarray(coarse, np.float32) + random.normal(0, 6, (side, side))
        names.append(f"{number}.jpg")
        Picture.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / names[-1], quality=90)
    manifest.write(pa.table({"image": names}), folder / "manifest.parquet", {"root": "."})
    return manifest.read(folder / "manifest.parquet")


def loader_of(
    rows: manifest.Manifest, options: argparse.Namespace, encoder: Encoder, batch: int | None = None
) -> Loader:
    size = batch or options.batch_size
    batches = [range(start, min(start + size, len(rows))) for start in range(0, len(rows), size)]
    view = View(encoder.contract.profile or "dicom-display", options.image_size, encoder.contract.fit)
    return Loader(rows, batches, view, workers=options.workers)


def reading(loader: Loader) -> float:
    """Return images/s once the workers have started: from the first batch to the last."""
    batches = iter(loader)
    next(batches)
    start = time.perf_counter()
    count = sum(len(batch.images) for batch in batches)
    return count / (time.perf_counter() - start)


def together(loader: Loader, encode: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """Return images/s of the work that `remedis embed` does, from the first batch on."""
    count, start = 0, 0.0
    for batch in loader:
        start = start or time.perf_counter()
        encode(batch.images)
        count += len(batch.images)
    return count / (time.perf_counter() - start)


def encoding(encode: Callable[[torch.Tensor], torch.Tensor], pixels: torch.Tensor, batch: int) -> float:
    start = time.perf_counter()
    for part in torch.split(pixels, batch):
        encode(part)
    return len(pixels) / (time.perf_counter() - start)


def matrix_product(dtype: torch.dtype, side: int = 2048) -> float:
    a, b = (torch.rand(side, side).to(dtype) for _ in range(2))
    start = time.perf_counter()
    for _ in range(8):
        a @ b
    return 8 * 2 * side**3 / (time.perf_counter() - start) / 1e9


def memory_copy(size: int = 1 << 28) -> float:
    """Return bytes read and written a second, of blocks that no cache holds."""
    source, target = torch.ones(size, dtype=torch.uint8), torch.ones(size, dtype=torch.uint8)
    start = time.perf_counter()
    for _ in range(4):
        target.copy_(source)
    return 4 * 2 * size / (time.perf_counter() - start) / 1e9


@contextmanager
def witness(
    options: argparse.Namespace, encoder: Encoder, pixels: torch.Tensor, scratch: Path
) -> Iterator[tuple[dict[str, tuple[str, Measure]], str, np.ndarray | None]]:
    """Yield measures of TensorFlow, its version and its embeddings; nothing without --tensorflow."""
    if not options.tensorflow:
        yield {}, "", None
        return
    weights = {name: weight.float().numpy() for name, weight in encoder.weights().items()}
    np.savez(scratch / "weights.npz", **weights)
    np.save(scratch / "pixels.npy", pixels.numpy())
    places = [str(scratch / name) for name in ("weights.npz", "pixels.npy", "embeddings.npy", "saved_model")]
    depth = encoder.network.removeprefix("bit-r").partition("x")[0]
    command = [options.tensorflow, str(HERE / "embed_tensorflow.py"), *places]
    command += ["--depth", depth, "--threads", str(options.threads)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        version = process.stdout.readline().strip()

        def measure(batch: int) -> float:
            process.stdin.write(f"{batch}\n")
            process.stdin.flush()
            return len(pixels) / float(process.stdout.readline())

        measures: dict[str, tuple[str, Measure]] = {
            f"TensorFlow, fp32, batch {batch}": ("images/s", lambda batch=batch: measure(batch))
            for batch in sorted({8, options.batch_size})
        }
        try:
            yield measures, version, np.load(scratch / "embeddings.npy")
        finally:
            process.stdin.close()


def difference(ours: torch.Tensor, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours.double().numpy() - theirs) / np.linalg.norm(theirs))


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.double(), b.double()).min())


def flops(encoder: Encoder, side: int) -> float:
    """Return floating-point operations an image (2 a multiply-add) of convolutions and products."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        encoder.features(torch.zeros(1, encoder.contract.channels, side, side))
    return float(counter.get_total_flops())


def machine() -> dict[str, str]:
    found = {"processor": platform.processor(), "flags": ""}
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    values = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    found["processor"] = values.get("model name", found["processor"])
    wanted = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")
    found["flags"] = " ".join(flag for flag in values.get("flags", "").split() if flag in wanted)
    return found | {"python": platform.python_version(), "torch": torch.__version__, "remedis": remedis.__version__}


def report(
    found: dict[str, list[float]],
    units: dict[str, str],
    facts: dict[str, str],
    flops_an_image: float,
    options: argparse.Namespace,
) -> None:
    """Print the facts, the medians and the shares, and write the table."""
    table = [("machine", name, value, "", "", "") for name, value in facts.items()]
    for name, values in found.items():
        table.append(
            ("rate", name, *(f"{v:.4g}" for v in (statistics.median(values), min(values), max(values))), units[name])
        )
    table += [("share", *row) for row in shares(found, flops_an_image, options)]
    for kind, name, value, low, high, unit in table:
        between = f"  ({low} … {high})" if low else ""
        print(f"{kind:8} {name:58} {value} {unit}{between}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "name", "value", "low", "high", "unit"])
        writer.writerows(table)


def shares(
    found: dict[str, list[float]], flops_an_image: float, options: argparse.Namespace
) -> list[tuple[str, str, str, str, str]]:
    """Return quotients of two rates of the same round: median, smallest, largest."""
    rows: list[tuple[str, str, str, str, str]] = []

    def add(text: str, above: str, below: str, factor: float = 1.0, unit: str = "") -> None:
        if above in found and below in found:
            values = [factor * a / b for a, b in zip(found[above], found[below], strict=True)]
            rows.append((text, *(f"{v:.3g}" for v in (statistics.median(values), min(values), max(values))), unit))

    decoded = options.stored_side**2 * 3
    add("reading: decoded bytes to memory copy", "reading", "memory copy", decoded / 1e9)
    for name in ("fp32", "bf16"):
        product = f"matrix product, {name}"
        add(
            f"encoding, {name}: its arithmetic to the matrix product",
            f"encoding, {name}",
            product,
            flops_an_image / 1e9,
        )
        add(f"together to encoding, {name}", f"together, {name}", f"encoding, {name}")
        add(f"together to reading, {name}", f"together, {name}", "reading")
        for batch in sorted({8, options.batch_size}):
            add(
                f"encoding, {name}, to TensorFlow, batch {batch}",
                f"encoding, {name}",
                f"TensorFlow, fp32, batch {batch}",
            )
    return rows


if __name__ == "__main__":
    main()
