"""Keys of patients are HMAC-SHA256 with a secret that only its owner can read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from remedis.data.indexers import secret
from remedis.errors import InputError


def hmac_sha256(key: bytes, message: bytes) -> str:
    """RFC 2104, section 2, with SHA-256 and its block of 64 bytes."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).hexdigest()


def test_a_key_is_the_rfcs() -> None:
    key = secret.new_secret()
    assert secret.keyed(key, "patient", "HOSP", "123") == hmac_sha256(key, b"patient\x00HOSP\x00123")[:24]
    assert secret.keyed(b"k" * 100, "study", "1.2") == hmac_sha256(b"k" * 100, b"study\x001.2")[:24]


def test_keys_differ_by_secret_kind_issuer_and_number() -> None:
    one, other = b"a" * 32, b"b" * 32
    keys = {
        secret.keyed(one, "patient", "", "12"), secret.keyed(other, "patient", "", "12"),
        secret.keyed(one, "study", "", "12"), secret.keyed(one, "patient", "1", "2"),
        secret.keyed(one, "patient", "", "13"),
    }  # fmt: skip
    assert len(keys) == 5
    assert secret.new_secret() != secret.new_secret()


def test_a_secret_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new/patient.key"
    assert secret.find_secret(path) is None
    key = secret.new_secret()
    secret.keep_secret(path, key)
    assert secret.find_secret(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="another process has just made"):
        secret.keep_secret(path, secret.new_secret())
    assert secret.find_secret(path) == key


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "patient.key"
    secret.keep_secret(path, secret.new_secret())
    path.chmod(mode)
    with pytest.raises(InputError, match=r"others can read the secret .* chmod 600"):
        secret.find_secret(path)


def test_what_is_no_secret_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "patient.key"
    path.write_bytes(b"short\n")
    path.chmod(0o600)
    with pytest.raises(InputError, match="holds 5 bytes, a secret of at least 32"):
        secret.find_secret(path)
    with pytest.raises(InputError, match="is no file"):
        secret.find_secret(tmp_path)


def test_the_default_place_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMEDIS_HOME", str(tmp_path))
    assert secret.default_place() == tmp_path / "patient.key"
    monkeypatch.delenv("REMEDIS_HOME")
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    assert secret.default_place() == tmp_path / ".local/share/remedis/patient.key"
