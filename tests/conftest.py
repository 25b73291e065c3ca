"""Fixtures that every test may use: the real images, unpacked once into a cache."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("remedis", deadline=None)  # a loaded machine is no failure
settings.load_profile("remedis")


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Return a function from a data set's name to its unpacked folder; skips, in words, where there is none."""

    def unpacked(name: str) -> Path:
        source = os.environ.get("REMEDIS_TEST_DATA")
        if not source:
            pytest.skip("REMEDIS_TEST_DATA is not set: this test needs the folder of real images")
        archive = Path(source) / f"{name}.tar"
        if not archive.exists():
            pytest.skip(f"{archive.name} is not in REMEDIS_TEST_DATA")
        return _unpack_once(archive)

    return unpacked


def _unpack_once(archive: Path) -> Path:
    """Unpack into a cache that is keyed by the archive's size and time, so that a new archive is unpacked anew."""
    stat = archive.stat()
    user = os.getuid() if hasattr(os, "getuid") else 0
    cache = Path(tempfile.gettempdir()) / f"remedis-test-data-{user}"
    folder = cache / f"{archive.stem}-{stat.st_size}-{int(stat.st_mtime)}"
    if not folder.exists():
        cache.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch, tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
            try:
                Path(scratch).replace(folder)
            except OSError:  # another worker was first
                if not folder.exists():
                    raise
            else:
                Path(scratch).mkdir()  # for TemporaryDirectory to remove
    return folder / archive.stem


@pytest.fixture(scope="session")
def small_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of random weights that is quick to run: resnet18 for images of 32 px."""
    from remedis.models.architectures import architecture
    from remedis.models.checkpoint import save
    from remedis.models.contract import Contract
    from remedis.models.load import random_encoder

    encoder = random_encoder(architecture("resnet18"), Contract(size=32), seed=0)
    return save(encoder, tmp_path_factory.mktemp("encoders") / "small")
