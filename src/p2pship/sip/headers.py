"""The header fields of a message as raw lines, which keep their octets until they are replaced (RFC 3261 §7.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import ClassVar, TypeVar

from p2pship.errors import LocalError
from p2pship.sip.fields import KEYS, key_of

_FOLD = re.compile(rb"\r\n[ \t]+")
# A quoted-string, a URI in brackets, or one other character but the comma. An unclosed quoted-string goes on to the
# end, so that what follows its quote is not searched again.
_ELEMENT = re.compile(r'(?:"(?:[^"\\]|\\.)*(?:"|\\?\Z)|<[^<>]*>|[^,])+', re.DOTALL)

# In one call each line is read some times: by each transaction, in each copy of a message, and in the messages of the
# same dialog. What was read is remembered; longer lines are not, so that it is at most some hundred kilobytes.
_KEPT = 512
_LONGEST_KEPT = 256

Value = TypeVar("Value")


def raw_value(line: bytes) -> bytes:
    """Return the value in a raw line, unfolded and stripped."""
    value = line.partition(b":")[2].strip(b" \t\r\n")
    return _FOLD.sub(b" ", value) if b"\r\n" in value else value


def elements(value: str) -> list[str]:
    """Split a list at its commas, not within quotes or ``<>``; empty elements are left out.

    Parentheses are plain characters: no list may have comments in it (RFC 3261 §25.1).
    """
    if "," not in value:
        return [value] if value else []
    parts = [part.strip(" \t") for part in _ELEMENT.findall(value)]
    return [part for part in parts if part]


def text_of(octets: bytes) -> str:
    """Return octets as text; those that are not UTF-8 come back unchanged with :func:`octets_of`."""
    return octets.decode("utf-8", "surrogateescape")


def read_line(read: Callable[[str], Value], line: bytes) -> Value:
    """Return what ``read`` makes of the value in a raw line, unfolded and stripped; it must be immutable, as it is kept.

    :raises BadURI: if ``read`` does; that is not kept.
    """
    return _kept(read, line) if len(line) <= _LONGEST_KEPT else _read(read, line)


def _read(read: Callable[[str], Value], line: bytes) -> Value:
    return read(text_of(raw_value(line)))


_kept = lru_cache(_KEPT)(_read)


def octets_of(text: str) -> bytes:
    """Return the octets of a text that goes into a start line or header line.

    :raises LocalError: if it would end the line.
    """
    if "\n" in text or "\r" in text:
        raise LocalError(f"{text!r} does not fit in a line")
    return text.encode("utf-8", "surrogateescape")


class Headers:
    """The header lines of a message, in order. Names are taken in any case and in their compact form.

    What a subclass has read of a header is kept in its attribute named in ``typed``, until the header changes.
    """

    typed: ClassVar[Mapping[str, str]] = {}
    "the name of the attribute for the key of a header"

    def __init__(self, keys: list[str], lines: list[bytes]) -> None:
        """Take raw lines without their line ends, and the key of each (:func:`~p2pship.sip.fields.raw_keys`)."""
        self._keys = keys
        self._lines = lines

    def __contains__(self, name: str) -> bool:
        return (KEYS.get(name) or key_of(name)) in self._keys

    def has_any(self, keys: frozenset[str]) -> bool:
        """Tell whether there is a line of one of these keys (:func:`~p2pship.sip.fields.key_of`)."""
        return not keys.isdisjoint(self._keys)

    def has_all(self, keys: frozenset[str]) -> bool:
        """Tell whether there is a line of each of these keys."""
        return keys.issubset(self._keys)

    def first(self, name: str) -> str | None:
        """Return the value of the first line of that name, unfolded and stripped."""
        key, keys = KEYS.get(name) or key_of(name), self._keys
        if key not in keys:
            return None
        return read_line(str, self._lines[keys.index(key)])

    def lines(self, name: str) -> list[str]:
        """Return the value of every line of that name, unfolded and stripped."""
        key, keys = KEYS.get(name) or key_of(name), self._keys
        if key not in keys:
            return []
        return [read_line(str, self._lines[at]) for at, each in enumerate(keys) if each == key]

    def values(self, name: str) -> list[str]:
        """Return the comma-separated values over all lines of that name, top to bottom."""
        lines = self.lines(name)
        if len(lines) == 1:
            return elements(lines[0])
        return [value for line in lines for value in elements(line)]

    def set(self, name: str, *values: str) -> None:
        """Replace all lines of that name by these, at the place of the first, else at the end."""
        self._replace(KEYS.get(name) or key_of(name), [_line(name, value) for value in values])

    def take(self, key: str, other: Headers) -> None:
        """Replace all lines of that key by those that another message has, octet for octet."""
        self._replace(key, [other._lines[at] for at in other._places(key)])

    def put_first(self, other: Headers, keys: frozenset[str]) -> None:
        """Add another message's lines of these keys before all others: hops look there first (RFC 3261 §7.3.1)."""
        self._keys[:0], self._lines[:0] = other.raw(keys)
        self._forget(keys)

    def remove(self, *names: str) -> None:
        """Take away every line of these names."""
        self.drop(frozenset([KEYS.get(name) or key_of(name) for name in names]))

    def drop(self, keys: frozenset[str]) -> None:
        """Take away every line of these keys."""
        if keys.isdisjoint(self._keys):
            return
        for at in reversed([at for at, key in enumerate(self._keys) if key in keys]):
            del self._keys[at], self._lines[at]
        self._forget(keys)

    def prepend(self, name: str, value: str) -> None:
        """Add a line before the first of that name, else before all headers."""
        key = KEYS.get(name) or key_of(name)
        self._insert(self._keys.index(key) if key in self._keys else 0, key, _line(name, value))

    def append(self, name: str, value: str) -> None:
        """Add a line after the last of that name, else after all headers."""
        key = KEYS.get(name) or key_of(name)
        places = self._places(key)
        self._insert(places[-1] + 1 if places else len(self._keys), key, _line(name, value))

    def pop(self, name: str) -> str | None:
        """Take away the first value of that name, such as the topmost Via, and return it; None if there is none."""
        key = key_of(name)
        while key in self._keys:
            at = self._keys.index(key)
            values = elements(read_line(str, self._lines[at]))
            del self._keys[at], self._lines[at]
            self._forget((key,))
            if len(values) > 1:
                self._insert(at, key, _line(name, ", ".join(values[1:])))
            if values:
                return values[0]
        return None

    def _places(self, key: str) -> list[int]:
        if key not in self._keys:
            return []
        return [at for at, each in enumerate(self._keys) if each == key]

    def _insert(self, at: int, key: str, line: bytes) -> None:
        self._keys.insert(at, key)
        self._lines.insert(at, line)
        self._forget((key,))

    def _replace(self, key: str, lines: list[bytes]) -> None:
        keys = self._keys
        if len(lines) == 1 == keys.count(key):
            self._lines[keys.index(key)] = lines[0]
        else:
            places = self._places(key)
            at = places[0] if places else len(keys)
            for place in reversed(places):
                del keys[place], self._lines[place]
            keys[at:at] = [key] * len(lines)
            self._lines[at:at] = lines
        self._forget((key,))

    def _forget(self, keys: Collection[str]) -> None:
        """Forget what was read of headers that change."""
        typed = self.typed
        for key in keys:
            if key in typed:
                self.__dict__.pop(typed[key], None)

    def raw(self, keys: frozenset[str]) -> tuple[list[str], list[bytes]]:
        """Return the keys and the raw lines of the headers of these keys, in their order."""
        places = [at for at, key in enumerate(self._keys) if key in keys]
        return [self._keys[at] for at in places], [self._lines[at] for at in places]


def _line(name: str, value: str) -> bytes:
    return octets_of(f"{name}: {value}")
