"""The secret that patients' keys are made with: a file of its own, which only its owner may read."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from remedis.errors import InputError

KEY_CHARACTERS = 24
"""Hexadecimal digits of a key: 96 bits, so that two of 10^9 patients share one with a chance below 10^-10."""

_BYTES = 32


def default_place() -> Path:
    """Return `$REMEDIS_HOME/patient.key`, or `~/.local/share/remedis/patient.key` where it is not set."""
    home = os.environ.get("REMEDIS_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share" / "remedis") / "patient.key"


def find_secret(path: Path) -> bytes | None:
    """Return the secret in a file, None where there is no such file.

    Raises:
        InputError: Others than its owner can read the file, or it holds no secret.
    """
    if not path.exists():
        return None
    if not path.is_file():
        raise InputError("is no file, the secret for patients' keys was expected", where=path)
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(
            "others can read the secret for patients' keys; if it is still one, chmod 600 it, else make another",
            where=path,
        )
    secret = path.read_bytes().strip()
    if len(secret) < _BYTES:
        raise InputError(f"holds {len(secret)} bytes, a secret of at least {_BYTES} was expected", where=path)
    return secret


def new_secret() -> bytes:
    """Return a secret that nobody can guess."""
    return secrets.token_hex(_BYTES).encode()


def keep_secret(path: Path, secret: bytes) -> None:
    """Write a secret to a file that only its owner may read.

    Raises:
        InputError: The file has come into being in the meantime.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InputError("another process has just made this secret; start again", where=path) from error
    with os.fdopen(number, "wb") as file:
        file.write(secret + b"\n")


def keyed(secret: bytes, kind: str, *parts: str) -> str:
    """Return a key for an identifier: HMAC-SHA256 (RFC 2104) of its kind and parts, cut to 24 digits.

    Args:
        secret: The secret.
        kind: `patient`, `study` or `series`, so that equal identifiers of two kinds have different keys.
        parts: The identifier, with what makes it unique (the issuer of a patient's).
    """
    message = "\0".join((kind, *parts)).encode("utf-8", errors="surrogateescape")
    return hmac.new(secret, message, hashlib.sha256).hexdigest()[:KEY_CHARACTERS]
