"""Lossless JPEG (ITU-T T.81 process 14) through GDCM, in a process of its own.

GDCM is the only decoder of this kind under a permissive licence. On some damaged pictures it ends the whole process
that it runs in (`std::terminate`), which would take a run over many thousand images down with one bad file. So it gets
a process that may die: one is started with the first such file, kept, and started anew after a death.

Run as a module this file is that process: it answers requests on its standard input until that ends.
"""

from __future__ import annotations

import atexit
import json
import os
import struct
import subprocess
import sys
import threading
from typing import IO, Any

import numpy as np
import numpy.typing as npt

SYNTAXES = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
_LENGTHS = struct.Struct("<QQ")
_locks: dict[int, threading.Lock] = {}  # by process, as below: a fork may copy a lock that is held
_running: dict[int, subprocess.Popen[bytes]] = {}


def decode(frame: bytes, options: dict[str, Any]) -> npt.NDArray[Any]:
    """Return the pixels of one compressed frame, (H, W) or (H, W, 3).

    Args:
        frame: The lossless JPEG picture.
        options: pydicom's decoding options (rows, columns, bits …) as plain values, with `transfer_syntax_uid`.

    Raises:
        RuntimeError: GDCM refused the picture or died of it; says which.
    """
    with _locks.setdefault(os.getpid(), threading.Lock()):
        process = _process()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            _send(process.stdin, options, frame)
            answer, data = _receive(process.stdout)
        except (OSError, EOFError) as error:
            _end()
            raise RuntimeError("the decoder for lossless JPEG died of it") from error
        except BaseException:  # interrupted between question and answer: the next answer would be this one's
            _end()
            raise
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return np.frombuffer(data, np.dtype(answer["dtype"])).reshape(answer["shape"])


def _process() -> subprocess.Popen[bytes]:
    """Return this process's decoder (a forked child of ours needs its own)."""
    process = _running.get(os.getpid())
    if process is None or process.poll() is not None:
        _end()
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        _running[os.getpid()] = process
        atexit.register(_end)
    return process


def _end() -> None:
    """End this process's decoder, if there is one."""
    process = _running.pop(os.getpid(), None)
    if process is not None:
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was still to be written to a dead process
                    continue
        process.wait()


def _send(pipe: IO[bytes], words: dict[str, Any], data: bytes) -> None:
    text = json.dumps(words).encode()
    pipe.write(_LENGTHS.pack(len(text), len(data)) + text)
    pipe.write(data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    lengths = pipe.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        raise EOFError
    text_length, data_length = _LENGTHS.unpack(lengths)
    text, data = pipe.read(text_length), pipe.read(data_length)
    if len(text) + len(data) < text_length + data_length:
        raise EOFError
    words: dict[str, Any] = json.loads(text)
    return words, data


def _answer(options: dict[str, Any], frame: bytes) -> tuple[dict[str, Any], bytes]:
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(options.pop("transfer_syntax_uid"))
        source = encapsulate([frame], has_bot=False)
        pixels, _ = decoder.as_array(source, index=0, decoding_plugin="gdcm", **options)
    except Exception as error:  # whatever it is, the asking process gets to know it
        return {"error": " ".join(str(error).split()) or type(error).__name__}, b""
    return {"shape": pixels.shape, "dtype": pixels.dtype.str}, pixels.tobytes()


def main() -> None:
    """Answer requests until standard input ends; what C code prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    while True:
        try:
            options, frame = _receive(sys.stdin.buffer)
        except EOFError:
            return
        _send(answers, *_answer(options, frame))


if __name__ == "__main__":
    main()
