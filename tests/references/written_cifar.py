"""CIFAR's files written from their author's description, byte by byte: binary, and pickled as Python 2 did.

Layout: https://www.cs.toronto.edu/~kriz/cifar.html. Operations of pickles: Lib/pickletools.py. The state of an array:
numpy's `ndarray.__reduce__`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]  # (n, 32, 32, 3) red, green, blue


def planes(pixels: Pixels) -> bytes:
    """All red of a picture row by row, then all green, then all blue; picture by picture."""
    out = bytearray()
    for picture in pixels:
        for colour in range(3):
            for row in picture:
                out += bytes(int(pixel[colour]) for pixel in row)
    return bytes(out)


def binary(pixels: Pixels, *labels: Sequence[int]) -> bytes:
    out = b""
    for number, picture in enumerate(pixels):
        out += bytes(column[number] for column in labels) + planes(picture[None])
    return out


class _Writer:
    """Numbers memo entries as cPickle does: each new object once."""

    def __init__(self) -> None:
        self.count = 0

    def put(self) -> bytes:
        self.count += 1
        return b"q" + bytes([self.count]) if self.count < 256 else b"r" + struct.pack("<I", self.count)

    def text(self, value: bytes) -> bytes:
        head = b"U" + bytes([len(value)]) if len(value) < 256 else b"T" + struct.pack("<I", len(value))
        return head + value + self.put()

    def whole(self, value: int) -> bytes:
        if 0 <= value < 256:
            return b"K" + bytes([value])
        return b"M" + struct.pack("<H", value) if 0 <= value < 65536 else b"J" + struct.pack("<i", value)

    def listed(self, items: Sequence[bytes]) -> bytes:
        return b"]" + self.put() + (b"(" + b"".join(items) + b"e" if items else b"")

    def array(self, content: bytes, shape: tuple[int, int]) -> bytes:
        made = b"cnumpy.core.multiarray\n_reconstruct\n" + self.put() + b"cnumpy\nndarray\n" + self.put()
        made += b"K\x00\x85" + self.put() + self.text(b"b") + b"\x87" + self.put() + b"R" + self.put()
        made += b"(K\x01" + self.whole(shape[0]) + self.whole(shape[1]) + b"\x86" + self.put()
        made += b"cnumpy\ndtype\n" + self.put() + self.text(b"u1") + b"K\x00K\x01\x87" + self.put() + b"R" + self.put()
        made += b"(K\x03" + self.text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t" + self.put() + b"b"
        return made + b"\x89" + self.text(content) + b"t" + self.put() + b"b"


def python2_batch(pixels: Pixels, labels: Sequence[int], batch_label: bytes = b"training batch 1 of 5") -> bytes:
    writer = _Writer()
    out = b"\x80\x02}" + writer.put() + b"("
    out += writer.text(b"batch_label") + writer.text(batch_label)
    out += writer.text(b"labels") + writer.listed([writer.whole(each) for each in labels])
    out += writer.text(b"data") + writer.array(planes(pixels), (len(pixels), 3072))
    names = [f"picture_s_{number:06d}.png".encode() for number in range(len(pixels))]
    return out + writer.text(b"filenames") + writer.listed([writer.text(name) for name in names]) + b"u."


def python2_meta(names: Sequence[str]) -> bytes:
    writer = _Writer()
    out = b"\x80\x02}" + writer.put() + b"(" + writer.text(b"num_cases_per_batch") + b"M\x10\x27"
    out += writer.text(b"label_names") + writer.listed([writer.text(name.encode()) for name in names])
    return out + writer.text(b"num_vis") + b"M\x00\x0c" + b"u."
