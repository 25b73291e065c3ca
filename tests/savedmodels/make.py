"""Write SavedModels with TensorFlow, and keep of them what the tests need to make them again without it.

    python tests/savedmodels/make.py --list
    python tests/savedmodels/make.py --only r50x1-bare-raw-before-free --out FOLDER
    python tests/savedmodels/make.py --store

`--out` gives FOLDER/NAME (the SavedModel), FOLDER/NAME.json (the record) and FOLDER/NAME.npz (TensorFlow's float32
outputs and those of the same network in float64). `--store` does it for every variant that is kept, into `stored/`.
Runs in TensorFlow's own environment and uses nothing of remedis and no torch.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import archive
import forms
import hub
import numpy as np
import published
import seeded
import store
import tensorflow as tf
import truth
from variants import FAULTS, VARIANTS, Variant


def weights_for(variant: Variant) -> dict[str, np.ndarray]:
    """Return every variable's value by canonical name."""
    shapes = hub.shapes(variant) if variant.call == "tf1" else published.weights_of(variant)
    eps = variant.kernel_eps if variant.kernel_norm == "ready" else None
    return {name: seeded.value(variant.seed, name, shape, eps) for name, shape in shapes.items()}


def expected(variant: Variant) -> dict[str, object]:
    """Return what a converter has to find out about a SavedModel."""
    scale, shift = forms.SCALE_AND_SHIFT.get(variant.scaling, (2.0, -1.0))
    if variant.network == "bit":
        architecture = f"bit-r{variant.depth}x{variant.width}"
    else:
        architecture = f"resnet{variant.depth}" + (f"x{variant.width}" if variant.width > 1 else "")
        architecture += "-cifar" if variant.cifar else ""
    return {
        "architecture": architecture,
        "map": variant.map,
        "pooled": variant.pooled is not None,
        "scale": scale / 255 if variant.dtype == "uint8" else scale,
        "shift": shift,
        "high": high(variant),
        "dtype": variant.dtype,
        "kernels": "ready" if variant.kernel_norm == "ready" else "raw",
        "norm_eps": variant.norm_eps,
        "kernel_eps": variant.kernel_eps,
        "eps_in_graph": {"norm": float(np.float32(variant.norm_eps)), "kernel": float(np.float32(variant.kernel_eps))},
        "sizes": variant.size or "free",
        "resize": variant.resize,
        "output_key": "default" if variant.call == "tf1" else published.output_key(variant),
        "refused": FAULTS[variant.fault] if variant.fault else None,
    }


def high(variant: Variant) -> int:
    """Return the largest value of images: 255 where the graph divides by 127.5 or by 255."""
    return 255 if variant.scaling == "x/127.5-1" or variant.dtype == "uint8" else 1


def sides(variant: Variant) -> dict[int, int]:
    """Return how many images of which side have stored outputs: even and odd where the graph allows both."""
    return {variant.size: 2} if variant.size else {32: 2, 33: 1} if variant.cifar else {64: 2, 65: 1}


def run(variant: Variant, folder: Path, images: np.ndarray) -> np.ndarray:
    """Return what TensorFlow computes in float32 from the files, under the key that counts."""
    if variant.call == "tf1":
        network = tf.saved_model.load(str(folder), tags=[]).signatures["default"]
        return network(tf.constant(images))["default"].numpy()
    loaded = tf.saved_model.load(str(folder))
    found = loaded(tf.constant(images), False) if variant.call == "trainable" else loaded(tf.constant(images))
    return (found[published.output_key(variant)] if isinstance(found, dict) else found).numpy()


def outputs(variant: Variant, folder: Path, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return `tensorflow_SIDE` in float32, `map_SIDE` and `embedding_SIDE` in float64, every so many channels."""
    found: dict[str, np.ndarray] = {}
    for side, count in sides(variant).items():
        images = seeded.images(variant.seed, count, side, high(variant)).astype(variant.dtype)
        try:
            found[f"tensorflow_{side}"] = run(variant, folder, images)
        except (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError):
            assert variant.channels_first
        if not variant.fault:
            read = {name: weights[published.used_name(variant, name)] for name in names(variant, weights)}
            true = truth.truth(variant, read.__getitem__, images)
            found |= {f"{name}_{side}": value for name, value in true.items()}
            if f"tensorflow_{side}" in found:
                check(variant, found[f"tensorflow_{side}"], true)
    return {name: value[..., :: variant.every] for name, value in found.items()}


def names(variant: Variant, weights: dict[str, np.ndarray]) -> list[str]:
    """Return the canonical names that have the value which the graph reads."""
    ending = published.AVERAGE
    return [name.removesuffix(ending) for name in weights if name.endswith(ending) or not variant.averaged]


def check(variant: Variant, theirs: np.ndarray, true: dict[str, np.ndarray]) -> None:
    """Say how far TensorFlow's float32 is from float64, and refuse what is too far."""
    reference = true["embedding" if variant.pooled else "map"]
    distance = np.linalg.norm(theirs.reshape(reference.shape) - reference) / np.linalg.norm(reference)
    print(f"{variant.name}: {theirs.shape} {distance:.1e}", flush=True)
    assert distance < 2e-3, f"{variant.name}: float32 is {distance} from float64"


def make(variant: Variant, folder: Path) -> tuple[dict[str, object], dict[str, bytes], dict[str, np.ndarray]]:
    """Write one SavedModel into a folder that does not exist yet; return its record, kept bytes and outputs."""
    weights = weights_for(variant)
    (hub.save if variant.call == "tf1" else published.save)(variant, weights, folder)
    found = outputs(variant, folder, weights)
    files, kept = store.parts_of(folder, weights)
    ready = variant.kernel_eps if variant.kernel_norm == "ready" else None
    record = {
        "name": variant.name, "seed": variant.seed, "ready_eps": ready, "expected": expected(variant),
        "images": {str(side): count for side, count in sides(variant).items()}, "every": variant.every,
        "variant": dataclasses.asdict(variant), "tensorflow": tf.__version__, "files": files,
    }  # fmt: skip
    return record, kept, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="the names of all variants; + marks those that are kept")
    parser.add_argument("--only", action="append", help="this variant; may be given again")
    parser.add_argument("--out", type=Path, help="folder to write full SavedModels into")
    parser.add_argument("--store", action="store_true", help="keep what rebuild.py needs")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.list:
        print("\n".join(("+ " if each.stored else "  ") + each.name for each in VARIANTS))
        return
    unknown = set(options.only or ()) - {each.name for each in VARIANTS}
    if unknown:
        sys.exit(f"no such variant: {', '.join(sorted(unknown))}; --list names them")
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    chosen = [each for each in VARIANTS if each.name in options.only] if options.only else VARIANTS
    with tempfile.TemporaryDirectory() as scratch:
        for variant in chosen:
            if options.store and not variant.stored:
                continue
            start = time.perf_counter()
            place = options.out or Path(scratch)
            record, kept, found = make(variant, place / variant.name)
            if options.store:
                archive.keep(record, kept, found)
            if options.out:
                (place / f"{variant.name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
                np.savez(place / f"{variant.name}.npz", **found)
            elif options.store:
                shutil.rmtree(place / variant.name)
            print(f"{variant.name}: {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
