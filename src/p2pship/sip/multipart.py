"""Parts of multipart bodies (RFC 2046 §5.1, RFC 5621), found where they stand so that they can be replaced."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

from p2pship.sip.headers import raw_value, text_of
from p2pship.sip.parameters import NONE, TOKEN, BadURI, Parameters, unquote

MOST_PARTS = 32  # a body with more is not searched to its end
DEEPEST = 4  # multiparts within multiparts
LONGEST_BOUNDARY = 70  # RFC 2046 §5.1.1

_TYPE = re.compile(rf"({TOKEN})[ \t]*/[ \t]*({TOKEN})(.*)", re.DOTALL)
_END_OF_HEADERS = re.compile(rb"(?:\A|\r\n)\r\n")
_LENGTH = re.compile(rb"[^:]*:[ \t]*([0-9]{1,9})[ \t]*(?:\r\n)?")
_PLAIN = frozenset({"", "identity", "7bit", "8bit", "binary"})


@dataclass(frozen=True, slots=True)
class PartHeaders:
    """What the headers of a message or of a part say of its content."""

    content_type: str = ""
    disposition: str = "session"
    is_plain: bool = True
    length: slice | None = None
    "where the number of a part's own Content-Length stands; a message looks after its own"

    @classmethod
    def of(cls, header: Callable[[str], str | None], length: slice | None = None) -> Self:
        """Read them; ``header`` returns a header's value by its name in lower case."""
        purpose = (header("content-disposition") or "session").partition(";")[0].strip(" \t").lower()
        encodings = [header("content-encoding") or "", header("content-transfer-encoding") or ""]
        plain = _PLAIN.issuperset([each.strip(" \t").lower() for each in encodings])
        return cls(header("content-type") or "", purpose, plain, length)


def media_type(text: str) -> tuple[str, Parameters]:
    """Read a Content-Type: the type in lower case and its parameters; an empty type if it is malformed.

    Parameters that cannot be read count as none: phones that take them for something go by the type all the same.
    """
    match = _TYPE.fullmatch(text.strip(" \t"))
    if match is None:
        return "", NONE
    kind = f"{match[1]}/{match[2]}".lower()
    try:
        return kind, Parameters.of_header(match[3])
    except BadURI:
        return kind, NONE


@dataclass(frozen=True, slots=True)
class Part:
    """Some content in a body, which may be all of it."""

    content: slice
    "where it stands"
    disposition: str
    "what it is for (RFC 3261 §20.11): ``session``, if nothing says otherwise"
    is_plain: bool
    "whether its octets are what they say: neither encoded nor compressed"
    lengths: tuple[slice, ...] = ()
    "where the numbers of the Content-Length headers stand that count it: its own, and those of multiparts around it"


def find_parts(whole: PartHeaders, body: bytes, wanted: str) -> list[Part]:
    """Return every part of a media type in a body, in order; empty ones are none."""
    return list(_find(whole, body, Part(slice(0, len(body)), "", True), wanted, DEEPEST))


def replace_part(body: bytes, part: Part, content: bytes) -> bytes:
    """Return a body with other content in a part, and with its Content-Lengths to match; all else keeps its octets."""
    longer = len(content) - (part.content.stop - part.content.start)
    body = body[: part.content.start] + content + body[part.content.stop :]
    for number in reversed(part.lengths):  # an outer one also counts the digits of the inner ones
        digits = b"%d" % (int(body[number]) + longer)
        longer += len(digits) - (number.stop - number.start)
        body = body[: number.start] + digits + body[number.stop :]
    return body


def _find(headers: PartHeaders, body: bytes, part: Part, wanted: str, depth: int) -> Iterator[Part]:
    kind, parameters = media_type(headers.content_type)
    lengths = part.lengths if headers.length is None else (*part.lengths, headers.length)
    part = Part(part.content, headers.disposition, part.is_plain and headers.is_plain, lengths)
    if kind == wanted:
        if part.content.stop > part.content.start:
            yield part
        return
    boundary = unquote(parameters.get("boundary") or "")
    if not kind.startswith("multipart/") or not 0 < len(boundary) <= LONGEST_BOUNDARY or not depth:
        return
    for inner in _parts(body, part.content, boundary.encode("utf-8", "surrogateescape")):
        inner_headers, content = _read_part(body, inner)
        yield from _find(inner_headers, body, replace(part, content=content), wanted, depth - 1)


def _parts(body: bytes, where: slice, boundary: bytes) -> Iterator[slice]:
    """Yield where each part stands, headers included, between two delimiters."""
    delimiter = re.compile(rb"(?:\A|\r\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r\n|\Z)")
    octets = body[where]
    at = delimiter.search(octets)
    count = 0
    while at is not None and at[1] is None and count < MOST_PARTS:
        # The CRLF that ends one delimiter may also begin the next: an empty part.
        following = delimiter.search(octets, max(at.end() - 2, 0))
        if following is None:
            return
        yield slice(where.start + at.end(), where.start + max(following.start(), at.end()))
        at = following
        count += 1


def _read_part(body: bytes, part: slice) -> tuple[PartHeaders, slice]:
    """Return what the headers of a part say, and where its content stands."""
    octets = body[part]
    end = _END_OF_HEADERS.search(octets)
    if end is None:
        return PartHeaders(), slice(part.stop, part.stop)
    fields: dict[str, str] = {}
    length = None
    at = part.start
    for line in re.split(rb"(?<=\r\n)(?![ \t])", octets[: end.start() + 2]):
        name = text_of(line.partition(b":")[0]).strip(" \t").lower()
        fields[name] = text_of(raw_value(line.removesuffix(b"\r\n")))
        digits = _LENGTH.fullmatch(line) if name == "content-length" else None
        length = slice(at + digits.start(1), at + digits.end(1)) if digits is not None else length
        at += len(line)
    return PartHeaders.of(fields.get, length), slice(part.start + end.end(), part.stop)
