"""remedis: from many medical images and few labels to honest answers. Research software, not a diagnostic device.

import remedis

encoder = remedis.load("enc")              # a checkpoint's folder or name; in evaluation mode
image = remedis.read("x.dcm")              # a remedis.Image: pixels as uint8 or uint16, never resized
embedding = encoder(image)                 # a tensor (N, D)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remedis.data.image import Image
    from remedis.data.readers import read
    from remedis.errors import RemedisError
    from remedis.models.contract import Contract
    from remedis.models.encoder import Encoder
    from remedis.models.load import load

__version__ = "0.1.0"
__all__ = ["Contract", "Encoder", "Image", "RemedisError", "__version__", "load", "read"]

_HOMES = {
    "Contract": "remedis.models.contract",
    "Encoder": "remedis.models.encoder",
    "Image": "remedis.data.image",
    "RemedisError": "remedis.errors",
    "load": "remedis.models.load",
    "read": "remedis.data.readers",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that `import remedis` does not pay for torch."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'remedis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
