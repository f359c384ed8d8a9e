"""A person's name: the canonical address of record (RFC 3261 §10.3)."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from p2pship.address import BadAddress, canonical_host, without_third_colon
from p2pship.errors import RemoteError

LONGEST_AOR = 254
"Characters: as an e-mail address (RFC 5321 §4.5.3.1.3, without the brackets), and a length octet holds it."

LONGEST_URI = 2_048
"Characters of what is read for an address of record: parameters and headers are dropped, but not without end."

LONGEST_HOST = 253
"Characters of a domain name (RFC 1035 §2.3.4)."

REMEMBERED = 2_048
"Names whose canonical form is remembered: every SIP message asks for two or three."

_UNESCAPED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()&=+$,;?/")
"What a user part shows as it is: unreserved and user-unreserved (RFC 3261 §25.1)."
_SPELLING = tuple(chr(octet) if octet in _UNESCAPED else f"%{octet:02X}" for octet in range(256))

_SCHEME = re.compile("sips?:", re.IGNORECASE)
_PASSWORD = re.compile(":.*", re.DOTALL)
# Other characters than these may come unescaped, against the grammar: phones dial "*21#" as it is.
_NEVER_RAW = re.compile(r'[\x00-\x20\x7f-\xa0<>"\ud800-\udfff]|%(?![0-9A-Fa-f]{2})')
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"  # underscores are in live host names
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)*(?=[a-z_]){_LABEL}")


class BadAOR(RemoteError):
    """This is not the address of a person, such as alice@example.com."""


@lru_cache(maxsize=REMEMBERED)
def canonical_aor(text: str) -> str:
    """Return the one spelling of an address of record, ``user@host``.

    Takes ``user@host`` and SIP and SIPS URIs. Password, port, parameters and headers are dropped. In the user part an
    escape is undone where the character may stand as it is, and written with upper-case digits where it may not; its
    case matters. Whatever else an escape stands for, a null octet too (RFC 4475 §3.1.1.4), stays escaped: no canonical
    AOR has a control character. The host is in lower case, without the dot at the end; an address literal in its canonical spelling,
    IPv6 within brackets.

    :raises BadAOR: if it is not of that form, or longer than 254 characters.
    """
    if len(text) > LONGEST_URI:
        raise BadAOR(f"an address of {len(text)} characters is too long")
    scheme = _SCHEME.match(text)
    userinfo, at, rest = text[scheme.end() if scheme else 0 :].partition("@")
    if not at:
        raise BadAOR(f"{text!r} has no @ between a user and a host, as alice@example.com has")
    user = _canonical_user(_PASSWORD.sub("", userinfo) if scheme else userinfo, text)
    aor = f"{user}@{_canonical_host(re.split('[;?]', rest, maxsplit=1)[0], text)}"
    if len(aor) > LONGEST_AOR:
        raise BadAOR(f"an address of record of {len(aor)} characters is longer than {LONGEST_AOR}")
    return aor


def split_aor(aor: str) -> tuple[str, str]:
    """Return the user part, escaped, and the host of a canonical AOR; IPv6 within brackets."""
    user, _, host = aor.partition("@")
    return user, host


def _canonical_user(user: str, text: str) -> str:
    if not user:
        raise BadAOR(f"{text!r} has no user part")
    bad = _NEVER_RAW.search(user)
    if bad:
        raise BadAOR(f"{text!r} has {bad[0]!r} in its user part")
    if ":" in user:
        raise BadAOR(f"{text!r} is not a SIP address")
    return "".join(_SPELLING[octet] for octet in unquote_to_bytes(user))


def _canonical_host(hostport: str, text: str) -> str:
    match = _HOST_PORT.fullmatch(hostport)
    if not match:
        raise BadAOR(f"{text!r} has no host, or one with characters that no host name has")
    host = match[1].lower().removesuffix(".")
    if len(host) <= LONGEST_HOST and _HOST_NAME.fullmatch(host):
        return host
    try:
        address = canonical_host(without_third_colon(host))
    except BadAddress:
        raise BadAOR(f"{text!r}: {host!r} is neither a host name nor an IP address") from None
    return f"[{address}]" if ":" in address else address
