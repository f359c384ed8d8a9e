"""The ``;name=value`` parameters of SIP URIs and header fields (RFC 3261 §25.1), as they were written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from p2pship.errors import RemoteError

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
QUOTED = r'"(?:[^"\\]|\\.)*"'

# gen-value is a token, a host or a quoted-string. Base64 padding ("=") in a branch or tag is seen from live phones.
_HEADER = re.compile(
    rf'[ \t]*;[ \t]*({TOKEN})(?:[ \t]*=[ \t]*({QUOTED}|[^ \t;,"<>\x00-\x1f\x7f]+))?', re.DOTALL
)
_NAME_CHARACTER = r"(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|%[0-9A-Fa-f]{2})"
_URI = re.compile(rf";({_NAME_CHARACTER}+)(?:=((?:{_NAME_CHARACTER}|=)+))?")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


class BadURI(RemoteError):
    """This is not a URI or an address as SIP writes it."""

    def __init__(self, reason: str, status: int = 400, scheme: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.scheme = scheme


def unquote(text: str) -> str:
    """Return the text of a quoted-string without its quotes and quoted-pairs; any other text as it is."""
    if len(text) < 2 or not text.startswith('"'):
        return text
    return _QUOTED_PAIR.sub(r"\1", text[1:-1])


def quote(text: str) -> str:
    """Write a text as a quoted-string; CR and LF, which nothing can quote, become spaces (RFC 3261 §25.1)."""
    plain = text.replace("\r", " ").replace("\n", " ")
    return '"' + re.sub(r'(["\\\x00-\x08\x0b-\x1f\x7f])', r"\\\1", plain) + '"'


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters in their order; names compare without case, values are kept as written, quotes included."""

    items: tuple[tuple[str, str | None], ...] = ()
    "name and value; None for a parameter without ``=``"

    @classmethod
    def of_header(cls, text: str) -> Self:
        """Read the parameters of a header field value, with the white space that it may have.

        :raises BadURI: if something else is there, or a name comes twice (RFC 3261 §7.3.1).
        """
        return cls(_read(_HEADER, text.rstrip(" \t")))

    @classmethod
    def of_uri(cls, text: str) -> Self:
        """Read the parameters of a SIP URI; escapes are kept.

        :raises BadURI: if something else is there, or a name comes twice (RFC 3261 §19.1.1).
        """
        return cls(_read(_URI, text))

    def __str__(self) -> str:
        return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in self.items])

    def __iter__(self) -> Iterator[tuple[str, str | None]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __contains__(self, name: str) -> bool:
        wanted = name.lower()
        return wanted in [each.lower() for each, _ in self.items]

    def get(self, name: str) -> str | None:
        """Return a value as written; None if the parameter is missing or has no value (see ``in``)."""
        for each, value in self.items:
            if each == name or each.lower() == name.lower():
                return value
        return None

    def put(self, name: str, value: str | None = None) -> Parameters:
        """Return these with the parameter set, where it was or at the end."""
        if name not in self:
            return Parameters((*self.items, (name, value)))
        wanted = name.lower()
        return Parameters(tuple((n, value if n.lower() == wanted else v) for n, v in self.items))

    def drop(self, *names: str) -> Parameters:
        """Return these without the parameters of these names."""
        if not self.items:
            return self
        unwanted = [name.lower() for name in names]
        kept = tuple([item for item in self.items if item[0].lower() not in unwanted])
        return Parameters(kept) if len(kept) < len(self.items) else self


NONE = Parameters()


def _read(pattern: re.Pattern[str], text: str) -> tuple[tuple[str, str | None], ...]:
    items: list[tuple[str, str | None]] = []
    at = 0
    while at < len(text):
        match = pattern.match(text, at)
        if match is None:
            raise BadURI(f"{text[at:]!r} is not a parameter")
        items.append((match[1], match[2]))
        at = match.end()
    if len(items) > 1:
        _no_name_twice([name.lower() for name, _ in items])
    return tuple(items)


def _no_name_twice(names: list[str]) -> None:
    if len(set(names)) == len(names):
        return
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadURI(f"the parameter {name!r} comes twice")
        seen.add(name)
