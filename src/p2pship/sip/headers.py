"""The header fields of a message as raw lines, which keep their octets until they are replaced (RFC 3261 §7.3)."""

from __future__ import annotations

import re
from typing import Any

from p2pship.errors import LocalError
from p2pship.sip.fields import KEYS, key_of

_FOLD = re.compile(rb"\r\n[ \t]+")
# A quoted-string, a URI in brackets, or one other character but the comma. An unclosed quoted-string goes on to the
# end, so that what follows its quote is not searched again.
_ELEMENT = re.compile(r'(?:"(?:[^"\\]|\\.)*(?:"|\\?\Z)|<[^<>]*>|[^,])+', re.DOTALL)


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


def octets_of(text: str) -> bytes:
    """Return the octets of a text that goes into a start line or header line.

    :raises LocalError: if it would end the line.
    """
    if "\n" in text or "\r" in text:
        raise LocalError(f"{text!r} does not fit in a line")
    return text.encode("utf-8", "surrogateescape")


class Headers:
    """The header lines of a message, in order. Names are taken in any case and in their compact form."""

    __slots__ = ("_cache", "_keys", "_lines")

    def __init__(self, keys: list[str], lines: list[bytes]) -> None:
        """Take raw lines without their line ends, and the key of each (:func:`~p2pship.sip.fields.raw_keys`)."""
        self._keys = keys
        self._lines = lines
        self._cache: dict[str, Any] = {}

    def __contains__(self, name: str) -> bool:
        return key_of(name) in self._keys

    def first(self, name: str) -> str | None:
        """Return the value of the first line of that name, unfolded and stripped."""
        key, keys = KEYS.get(name) or key_of(name), self._keys
        if key not in keys:
            return None
        return text_of(raw_value(self._lines[keys.index(key)]))

    def lines(self, name: str) -> list[str]:
        """Return the value of every line of that name, unfolded and stripped."""
        key = KEYS.get(name) or key_of(name)
        found = zip(self._keys, self._lines, strict=True)
        return [text_of(raw_value(line)) for each, line in found if each == key]

    def values(self, name: str) -> list[str]:
        """Return the comma-separated values over all lines of that name, top to bottom."""
        return [value for line in self.lines(name) for value in elements(line)]

    def set(self, name: str, *values: str) -> None:
        """Replace all lines of that name by these, at the place of the first, else at the end."""
        key = key_of(name)
        lines = [_line(name, value) for value in values]
        places = self._places(key)
        at = places[0] if places else len(self._keys)
        self._drop(key, places)
        self._keys[at:at] = [key] * len(lines)
        self._lines[at:at] = lines

    def remove(self, *names: str) -> None:
        """Take away every line of these names."""
        for name in names:
            key = KEYS.get(name) or key_of(name)
            if key in self._keys:
                self._drop(key, self._places(key))

    def prepend(self, name: str, value: str) -> None:
        """Add a line before the first of that name, else before all headers."""
        key = key_of(name)
        self._insert(self._keys.index(key) if key in self._keys else 0, key, _line(name, value))

    def append(self, name: str, value: str) -> None:
        """Add a line after the last of that name, else after all headers."""
        key = key_of(name)
        places = self._places(key)
        self._insert(places[-1] + 1 if places else len(self._keys), key, _line(name, value))

    def pop(self, name: str) -> str | None:
        """Take away the first value of that name, such as the topmost Via, and return it; None if there is none."""
        key = key_of(name)
        while key in self._keys:
            at = self._keys.index(key)
            values = elements(text_of(raw_value(self._lines[at])))
            self._drop(key, [at])
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
        self._cache.pop(key, None)

    def _drop(self, key: str, places: list[int]) -> None:
        for at in reversed(places):
            del self._keys[at], self._lines[at]
        self._cache.pop(key, None)

    def raw(self, *keys: str) -> tuple[list[str], list[bytes]]:
        """Return the keys and the raw lines of the headers of these keys, in their order."""
        chosen = [(key, line) for key, line in zip(self._keys, self._lines, strict=True) if key in keys]
        return [key for key, _ in chosen], [line for _, line in chosen]


def _line(name: str, value: str) -> bytes:
    return octets_of(f"{name}: {value}")
