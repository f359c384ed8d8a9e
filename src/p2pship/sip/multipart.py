"""Parts of multipart bodies (RFC 2046 §5.1, RFC 5621), found where they stand so that they can be replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator

from p2pship.sip.headers import raw_value, text_of
from p2pship.sip.parameters import NONE, TOKEN, BadURI, Parameters, unquote

MOST_PARTS = 32  # a body with more is not searched to its end
DEEPEST = 4  # multiparts within multiparts
LONGEST_BOUNDARY = 70  # RFC 2046 §5.1.1

_TYPE = re.compile(rf"({TOKEN})[ \t]*/[ \t]*({TOKEN})(.*)", re.DOTALL)
_END_OF_HEADERS = re.compile(rb"(?:\A|\r\n)\r\n")


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


def find_part(content_type: str, body: bytes, wanted: str) -> slice | None:
    """Return where the content of the first part of a type stands in a body; None if there is none.

    A part with another Content-Disposition than ``session``, such as early-session (RFC 3959), is passed over.
    """
    return _find(content_type, body, slice(0, len(body)), wanted, DEEPEST)


def _find(content_type: str, body: bytes, where: slice, wanted: str, depth: int) -> slice | None:
    kind, parameters = media_type(content_type)
    if kind == wanted:
        return where if where.stop > where.start else None
    boundary = unquote(parameters.get("boundary") or "")
    if not kind.startswith("multipart/") or not 0 < len(boundary) <= LONGEST_BOUNDARY or not depth:
        return None
    for part in _parts(body, where, boundary.encode("utf-8", "surrogateescape")):
        inner_type, disposition, content = _read_part(body, part)
        found = _find(inner_type, body, content, wanted, depth - 1) if disposition == "session" else None
        if found is not None:
            return found
    return None


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


def _read_part(body: bytes, part: slice) -> tuple[str, str, slice]:
    """Return a part's Content-Type, its disposition and where its content stands."""
    octets = body[part]
    end = _END_OF_HEADERS.search(octets)
    if end is None:
        return "", "session", slice(part.stop, part.stop)
    fields = {"content-type": "", "content-disposition": "session"}
    for line in re.split(rb"\r\n(?![ \t])", octets[: end.start()]):
        name = text_of(line.partition(b":")[0]).strip(" \t").lower()
        if name in fields:
            fields[name] = text_of(raw_value(line))
    disposition = fields["content-disposition"].partition(";")[0].strip(" \t").lower()
    return fields["content-type"], disposition, slice(part.start + end.end(), part.stop)
