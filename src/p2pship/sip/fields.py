"""The names of header fields: their compact forms, and the key that stands for every spelling (RFC 3261 §7.3.1)."""

from __future__ import annotations

import re

# RFC 3261 §7.3.3 and the IANA register of SIP header fields.
COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

# Spellings that are met often, so that most names cost one look-up. Unknown names are never added: they are the
# other side's to choose.
_COMMON = (
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Alert-Info",
    "Allow",
    "Allow-Events",
    "Authentication-Info",
    "Authorization",
    "Call-ID",
    "Call-Id",
    "Call-Info",
    "Contact",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "Cseq",
    "Date",
    "Error-Info",
    "Event",
    "Expires",
    "From",
    "In-Reply-To",
    "Max-Breadth",
    "Max-Forwards",
    "MIME-Version",
    "Min-Expires",
    "Min-SE",
    "Organization",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Path",
    "Priority",
    "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Require",
    "RAck",
    "Reason",
    "Record-Route",
    "Refer-To",
    "Referred-By",
    "Replaces",
    "Reply-To",
    "Require",
    "Retry-After",
    "Route",
    "RSeq",
    "Server",
    "Service-Route",
    "Session-Expires",
    "SIP-ETag",
    "SIP-If-Match",
    "Subject",
    "Subscription-State",
    "Supported",
    "Timestamp",
    "To",
    "Unsupported",
    "User-Agent",
    "Via",
    "Warning",
    "WWW-Authenticate",
)
KEYS = {spelling: name.lower() for name in _COMMON for spelling in (name, name.lower())}
KEYS.update({form: name for short, name in COMPACT.items() for form in (short, short.upper())})
_RAW_KEYS = {f"{spelling}:".encode(): key for spelling, key in KEYS.items()}

_NAME = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]+")


def key_of(name: str) -> str:
    """Return the one lower-case spelling of a header field's name, the long one."""
    known = KEYS.get(name)
    if known is not None:
        return known
    lower = name.lower()
    return COMPACT.get(lower, lower)


def raw_keys(lines: list[bytes]) -> list[str | None]:
    """Return the key of each raw line; None for a line that is no header."""
    known = _RAW_KEYS.get
    keys = [known(line[: line.find(b":") + 1]) for line in lines]
    if None in keys:
        return [_uncommon_key(line) if key is None else key for key, line in zip(keys, lines, strict=True)]
    return keys


def _uncommon_key(line: bytes) -> str | None:
    name, colon, _ = line.partition(b":")
    bare = name.rstrip(b" \t\r\n")  # HCOLON may have white space before it, even folded
    return key_of(bare.decode("ascii")) if colon and _NAME.fullmatch(bare) else None
