"""How far do trivial features alone get? Writes them as a folder of embeddings, which `remedis probe` takes as any.

    python benchmarks/trivial_features.py cxr.parquet --features size,look --out emb-trivial
    remedis probe emb-trivial --label pneumonia --out probe-trivial

`size` is the logarithms of width, height and aspect of the stored file; `look` the mean and the standard deviation of
the picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from remedis.data import embeddings
from remedis.data.files import write_json
from remedis.data.inputs import open_any
from remedis.data.manifest import Source
from remedis.data.readers import read_source

NAMES = {"size": 3, "look": 2}


def features_of(source: Source, wanted: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Return the trivial features of one image."""
    pixels = read_source(source).pixels
    height, width = pixels.shape[-3:-1]
    shares = pixels / np.iinfo(pixels.dtype).max
    found = {
        "size": [np.log(width), np.log(height), np.log(width / height)],
        "look": [shares.mean(), shares.std()],
    }
    return np.array([value for name in wanted for value in found[name]], dtype=np.float32)


def write(path: Path, out: Path, wanted: tuple[str, ...], where: tuple[str, ...] = ()) -> None:
    """Write the features of a manifest's images as a finished folder of embeddings."""
    rows = open_any(path, where=where)
    vectors = np.stack([features_of(source, wanted) for source in rows.sources(range(len(rows)))])
    name = "trivial:" + "+".join(wanted)
    job = {"encoder": name, "manifest": str(path), "rows": len(rows), "profile": "dicom-display"}
    out.mkdir(parents=True)
    embeddings.write_part(embeddings.part_path(out, 0), rows.table, vectors, [])
    embeddings.write_rejected(out, [])
    facts = {"job": job, "complete": True, "encoder": name, "encoder_hash": name, "width": vectors.shape[1]}
    facts |= {"data_set": rows.data_set, "root": str(rows.root), "rejected": 0, "images": len(rows)}
    write_json(out / embeddings.FACTS_NAME, facts)


def main() -> None:
    """Parse the command line and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--features", default="size,look")
    parser.add_argument("--where", action="append", default=[])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    write(options.manifest, options.out, tuple(options.features.split(",")), tuple(options.where))


if __name__ == "__main__":
    main()
