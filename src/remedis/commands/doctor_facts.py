"""What `remedis doctor` finds: versions, device, decoders, optional packages, the folder of weights."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from remedis.models.store import Store, home
from remedis.models.tensorflow_python import VARIABLE, environment, tensorflow_python

GROUPS = ("all", "dev")  # extras that only gather others
NVIDIA = Path("/proc/driver/nvidia/version")
SECONDS = 3.0  # that a named Python gets to say its TensorFlow's version
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)[^;]*?(?:>=\s*([0-9.]+))?[^;]*(?:;\s*extra\s*==\s*['\"]([^'\"]+)['\"])?")

# kind of compression, one of its transfer syntaxes (PS3.6 Annex A), pydicom's plugin that remedis decodes it with
DICOM = (
    ("uncompressed", "1.2.840.10008.1.2.1", None),
    ("RLE", "1.2.840.10008.1.2.5", "pydicom"),
    ("JPEG", "1.2.840.10008.1.2.4.50", "pillow"),
    ("JPEG of 12 bits", "1.2.840.10008.1.2.4.51", "pylibjpeg"),
    ("lossless JPEG", "1.2.840.10008.1.2.4.70", "gdcm"),
    ("JPEG-LS", "1.2.840.10008.1.2.4.80", "pyjpegls"),
    ("JPEG 2000", "1.2.840.10008.1.2.4.90", "pylibjpeg"),
)


@dataclass(frozen=True)
class Package:
    """A package that is needed: its version here (None: not installed) and the least that will do."""

    name: str
    version: str | None
    least: str | None = None

    @property
    def serves(self) -> bool:
        """Whether it is here and new enough."""
        return self.version is not None and (self.least is None or _numbers(self.version) >= _numbers(self.least))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"name": self.name, "version": self.version, "least": self.least, "serves": self.serves}


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and numbers[-1] == 0:  # 11.0 is 11
        numbers.pop()
    return tuple(numbers)


def packages() -> dict[str, list[Package]]:
    """Return the packages of each extra, and under the empty name those that remedis cannot do without."""
    found: dict[str, list[Package]] = {"": []}
    try:
        lines = metadata.requires("remedis") or []
    except metadata.PackageNotFoundError:  # run from its source, not installed
        lines = []
    for line in lines:
        match = _REQUIREMENT.fullmatch(line)
        if match is None or match[3] in GROUPS or match[1].startswith("remedis"):
            continue
        found.setdefault(match[3] or "", []).append(Package(match[1], version_of(match[1]), match[2]))
    return found


def version_of(name: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def torch_facts() -> dict[str, Any]:
    """Return torch's version, what it runs on and how fast that is; `error` where it cannot be imported."""
    try:
        import torch

        from remedis.models.accelerate import has_bf16
    except Exception as error:  # a broken installation raises anything
        return {"error": f"{type(error).__name__}: {error}"}
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        "version": torch.__version__,
        "cuda": torch.version.cuda,
        "gpus": gpus,
        "gpu_driver": NVIDIA.exists() or shutil.which("nvidia-smi") is not None,
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": has_bf16(),
    }


def dicom_facts() -> dict[str, bool]:
    """Return for each kind of compression whether it can be decoded here."""
    from pydicom.pixels import get_decoder

    decoders = {name: (get_decoder(uid), plugin) for name, uid, plugin in DICOM}
    return {
        name: decoder.is_available if plugin is None else plugin in decoder.available_plugins
        for name, (decoder, plugin) in decoders.items()
    }


def picture_facts() -> dict[str, bool]:
    """Return for each kind of picture whether it can be decoded here."""
    from PIL import features

    return {
        "PNG": bool(features.check("zlib")),
        "JPEG": version_of("simplejpeg") is not None and bool(features.check("jpg")),
        "TIFF": version_of("tifffile") is not None,
        "WebP": bool(features.check("webp")),
    }


def tensorflow_facts() -> dict[str, Any]:
    """Return which Python has TensorFlow, named by whom, and its version (None: it has none)."""
    python = tensorflow_python()
    if python is None:
        return {"python": None, "named_by": None, "version": None}
    if python == sys.executable:
        version = version_of("tensorflow") or version_of("tensorflow-cpu")
        return {"python": python, "named_by": None, "version": version}
    return {"python": python, "named_by": VARIABLE, "version": _asked(python)}


def _asked(python: str) -> str | None:
    """Return the version of TensorFlow that another Python has; TensorFlow is not started for that."""
    program = (
        "from importlib.metadata import distributions\n"
        "for name in ('tensorflow', 'tensorflow-cpu'):\n"
        "    for one in distributions(name=name): print(one.version)"
    )
    try:
        done = subprocess.run(
            [python, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
            timeout=SECONDS, env=environment(python),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().partition("\n")[0] or None


def weights_facts(option: Path | None) -> dict[str, Any]:
    """Return where weights are kept, what is there, and how much room is left."""
    place = home(option)
    existing = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    return {
        **Store(place).summary(),
        "free_bytes": shutil.disk_usage(existing).free,
        "writable": os.access(existing, os.W_OK),
    }


def system_facts() -> dict[str, str]:
    """Return the versions of remedis and Python, and the platform."""
    from remedis import __version__

    system = f"{platform.system()} {platform.machine()}"
    return {"remedis": __version__, "python": platform.python_version(), "platform": system}


def broken(required: Iterable[Package], torch: Mapping[str, Any]) -> list[str]:
    """Return what remedis cannot do without and does not find in order, in words."""
    said = [
        f"{package.name} {'is not installed' if package.version is None else f'is {package.version}'}, "
        f"{package.least or 'any version'} or newer was expected"
        for package in required
        if not package.serves
    ]
    return said + ([f"torch cannot be imported ({torch['error']})"] if "error" in torch else [])
