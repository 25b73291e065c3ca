"""What a pickle holds, if it is nothing but dicts, lists, numbers, text and arrays of numbers; nothing is executed.

A pickle is a program for a small stack machine, and Python's own runs whatever function it names. This one knows the
few operations that plain data need; a function is only a name, and the few that build arrays out of bytes are done by
hand. All else is refused in words. Memory and steps are bounded by the file's size.
Source: the operations as Lib/pickletools.py describes them.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from typing import Any

from remedis.data.pickled_parts import Array, Located, RefusedError, built, called, function
from remedis.errors import ReadError

__all__ = ["Array", "Located", "load"]

MOST_STEPS = 5_000_000
PROTOCOLS = (2, 3, 4, 5)
_LONGEST_NAME = 200
_DAMAGE = (IndexError, KeyError, ValueError, TypeError, OverflowError, struct.error)


def load(data: bytes, where: str) -> Any:
    """Return what a pickle of protocol 2 to 5 holds.

    Args:
        data: The file's bytes.
        where: Its name, for messages.

    Returns:
        None, truth values, numbers, str, `Located` bytes (Python 2's str too), tuples, lists, dicts with text as keys
        (bytes become text), and `Array`.

    Raises:
        ReadError: It is damaged, or holds anything else: a function to call, an object, another file's data.
    """
    code = b""
    try:
        machine = _Machine(data)
        for _ in range(MOST_STEPS):
            code = machine.take(1)
            if code == b".":
                return machine.result()
            _step(code)(machine)
    except RefusedError as error:
        raise ReadError(f"{error}; nothing in it was executed", where=where) from error
    except _DAMAGE as error:
        raise ReadError(f"the pickle is damaged (at {_name(code)}); get the file anew", where=where) from error
    raise ReadError(f"the pickle takes more than {MOST_STEPS:,} steps, no such file does", where=where)


def _step(code: bytes) -> Callable[[_Machine], None]:
    if code not in _STEPS:
        raise RefusedError(f"the pickle does what plain data do not need ({_name(code)})")
    return _STEPS[code]


def _name(code: bytes) -> str:
    return next(
        (each.name for each in pickletools.opcodes if each.code == code.decode("latin-1")), f"byte {code.hex()}"
    )


class _Machine:
    """The stack, the stacks below each mark, the memo, and how far the file is read."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 2 or data[0] != 0x80 or data[1] not in PROTOCOLS:
            raise RefusedError("a pickle of protocol 2 to 5 was expected")
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self._data, self._place, self._encoded = data, 0, 0

    def take(self, count: int) -> Located:
        stop = self._place + count
        if stop > len(self._data):
            raise IndexError(stop)
        taken = Located(self._data[self._place : stop])
        taken.start = self._place
        self._place = stop
        return taken

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        stop = self._data.find(b"\n", self._place, self._place + _LONGEST_NAME)
        text = self.take(stop - self._place if stop >= 0 else len(self._data)).decode("ascii")
        self.take(1)
        return text

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def above_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def remember(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def result(self) -> Any:
        if len(self.stack) != 1 or self.below:
            raise IndexError(len(self.stack))
        return self.stack[0]

    def call(self) -> None:
        arguments, made = self.stack.pop(), self.stack.pop()
        self.push(called(made, arguments))
        # Text of the memo could be encoded again and again, and a short pickle fill the memory.
        if isinstance(self.stack[-1], Located) and self.stack[-1].start is None:
            self._encoded += len(self.stack[-1])
            if self._encoded > len(self._data):
                raise RefusedError("the pickle makes more bytes than it has")

    def build(self) -> None:
        state = self.stack.pop()
        built(self.stack[-1], state)

    def named(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError(name)
        self.push(function(module, name))

    def extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise RefusedError("the pickle appends to what is no list")
        self.stack[-1].extend(items)

    def set_items(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not dict or not all(isinstance(key, str | bytes) for key in items[::2]):
            raise RefusedError("the pickle sets items of what is no dict with text as keys")
        if any(len(key) > _LONGEST_NAME for key in items[::2]):  # or one of the memo is decoded again and again
            raise RefusedError(f"the pickle has a key of more than {_LONGEST_NAME} characters")
        keys = (key.decode("latin-1") if isinstance(key, bytes) else key for key in items[::2])
        self.stack[-1].update(zip(keys, items[1::2], strict=True))


def _tuple(count: int) -> Callable[[_Machine], None]:
    def step(machine: _Machine) -> None:
        machine.push(tuple(machine.stack.pop() for _ in range(count))[::-1])

    return step


def _sized(form: str, *, text: bool = False) -> Callable[[_Machine], None]:
    """Return a step that pushes bytes, or text in UTF-8, whose length comes first."""

    def step(machine: _Machine) -> None:
        content = machine.take(machine.number(form))
        machine.push(content.decode("utf-8") if text else content)

    return step


def _number(form: str) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(machine.number(form))


def _item(machine: _Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _passed_over(form: str) -> Callable[[_Machine], None]:
    def step(machine: _Machine) -> None:
        machine.number(form)

    return step


_STEPS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _passed_over("<B"),  # the protocol
    b"\x95": _passed_over("<Q"),  # how much may be read ahead
    b"(": _Machine.mark,
    b"N": lambda machine: machine.push(None),
    b"\x88": lambda machine: machine.push(True),
    b"\x89": lambda machine: machine.push(False),
    b"K": _number("<B"),
    b"M": _number("<H"),
    b"J": _number("<i"),
    b"G": _number(">d"),
    b"\x8a": lambda machine: machine.push(int.from_bytes(machine.take(machine.number("<B")), "little", signed=True)),
    b"U": _sized("<B"),
    b"T": _sized("<I"),
    b"C": _sized("<B"),
    b"B": _sized("<I"),
    b"\x8e": _sized("<Q"),
    b"\x96": _sized("<Q"),
    b"\x8c": _sized("<B", text=True),
    b"X": _sized("<I", text=True),
    b"\x8d": _sized("<Q", text=True),
    b"]": lambda machine: machine.push([]),
    b"a": lambda machine: machine.extend([machine.stack.pop()]),
    b"e": lambda machine: machine.extend(machine.above_mark()),
    b"l": lambda machine: machine.push(machine.above_mark()),
    b")": lambda machine: machine.push(()),
    b"\x85": _tuple(1),
    b"\x86": _tuple(2),
    b"\x87": _tuple(3),
    b"t": lambda machine: machine.push(tuple(machine.above_mark())),
    b"}": lambda machine: machine.push({}),
    b"s": _item,
    b"u": lambda machine: machine.set_items(machine.above_mark()),
    b"q": lambda machine: machine.remember(machine.number("<B")),
    b"r": lambda machine: machine.remember(machine.number("<I")),
    b"\x94": lambda machine: machine.remember(len(machine.memo)),
    b"h": lambda machine: machine.push(machine.memo[machine.number("<B")]),
    b"j": lambda machine: machine.push(machine.memo[machine.number("<I")]),
    b"c": lambda machine: machine.push(function(machine.line(), machine.line())),
    b"\x93": _Machine.named,
    b"R": _Machine.call,
    b"b": _Machine.build,
}
"""What each operation does; one that is not here is refused."""
