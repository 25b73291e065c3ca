"""A real SavedModel from a server on this machine to a proven encoder: nothing in between is a stand-in."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from physionet_server import PASSWORD, USER, Site, serve, with_list
from small_originals import CXR, HURRIED

import remedis
from remedis.models import zoo
from remedis.models.download import Source, download
from remedis.models.download.credentials import Credentials, Origin
from remedis.models.store import Store
from remedis.models.zoo.entries import CREDENTIALED
from savedmodels import rebuild

NAME = "r26x1-bare-raw-before-free"
SIZE = 64  # px; the proof is made at this size
TENSORFLOW = 1e-3  # relative; two correct float32 networks differ by 1e-5 to 4e-4


@pytest.mark.slow
def test_from_the_server_to_what_tensorflow_computes(tmp_path: Path) -> None:
    original = rebuild.rebuild(NAME, tmp_path / "original")
    files = {path.relative_to(original).as_posix(): path.read_bytes() for path in original.rglob("*") if path.is_file()}
    entry = replace(zoo.ENTRIES[CXR], files={path: sha256(data).hexdigest() for path, data in files.items()}, size=SIZE)
    store = Store(tmp_path / "home")
    store.accept(CREDENTIALED)
    with serve(Site(with_list({f"{CXR}/{path}": data for path, data in files.items()}))) as site:
        credentials = Credentials(USER, PASSWORD, Origin.of(site.base))
        folder = download(entry, store, Source(base=site.base, credentials=credentials, patience=HURRIED))
    encoder = remedis.load(folder)
    assert encoder.name == CXR
    assert encoder.contract.size == SIZE
    assert zoo.seen_by(encoder.facts) == zoo.seen_by(CXR)
    side = min(int(side) for side in rebuild.record(NAME)["images"])
    images = torch.from_numpy(rebuild.images(NAME, side).astype(np.float32)).permute(0, 3, 1, 2)
    theirs = torch.from_numpy(rebuild.outputs(NAME)[f"embedding_{side}"]).double()
    ours = encoder(images)[:, :: rebuild.record(NAME)["every"]].double()
    assert float((ours - theirs).norm() / theirs.norm()) < TENSORFLOW
