"""When two SIP URIs are the same (RFC 3261 §19.1.4)."""

from __future__ import annotations

import ipaddress
import re

from p2pship.sip.parameters import BadURI, Parameters
from p2pship.sip.uri import SIPURI, NameAddr, parse_uri, unescaped

# RFC 3261 §19.1.4 and RFC 2396 §2.2: only these differ from their escapes.
_RESERVED = frozenset(b";/?:@&=+$,")
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
_ALWAYS_COMPARED = ("user", "ttl", "method", "maddr")
_ADDRESS_HEADERS = frozenset({"to", "from", "contact", "route", "record-route", "reply-to", "t", "f", "m"})
_CASE_MATTERS = frozenset({"body", "call-id", "i", "subject", "s"})


def same_uri(a: SIPURI, b: SIPURI) -> bool:
    """Tell whether two URIs are equivalent (RFC 3261 §19.1.4).

    IPv6 addresses compare by value (RFC 5954 §4.2).
    """
    return (
        a.scheme == b.scheme
        and _plain(a.user) == _plain(b.user)
        and _plain(a.password) == _plain(b.password)
        and _comparable_host(a.host) == _comparable_host(b.host)
        and a.port == b.port
        and _same_parameters(a.parameters, b.parameters)
        and _same_headers(a.headers, b.headers)
    )


def _plain(text: str | None) -> str | None:
    """Resolve the escapes of all characters but the reserved ones, whose escapes get one spelling."""
    if text is None or "%" not in text:
        return text
    return _ESCAPE.sub(_plain_character, text)


def _plain_character(match: re.Match[str]) -> str:
    octet = int(match[0][1:], 16)
    if octet in _RESERVED or octet == 0x25:
        return match[0].upper()
    return chr(octet)


def _folded(text: str | None) -> str | None:
    plain = _plain(text)
    return None if plain is None else plain.lower()


def _comparable_host(host: str) -> str:
    return str(ipaddress.IPv6Address(host)) if ":" in host else host.lower()


def _same_parameters(a: Parameters, b: Parameters) -> bool:
    if not a.items and not b.items:
        return True
    ours = {_folded(name): _folded(value) for name, value in a}
    theirs = {_folded(name): _folded(value) for name, value in b}
    if any((name in ours) != (name in theirs) for name in _ALWAYS_COMPARED):
        return False
    return all(theirs[name] == value for name, value in ours.items() if name in theirs)


def _same_headers(a: tuple[tuple[str, str], ...], b: tuple[tuple[str, str], ...]) -> bool:
    if len(a) != len(b):
        return False
    return sorted(map(_comparable_header, a)) == sorted(map(_comparable_header, b))


def _comparable_header(header: tuple[str, str]) -> tuple[str, str]:
    name, value = unescaped(header[0]).lower(), unescaped(header[1])
    if name in _CASE_MATTERS:
        return name, value
    if name in _ADDRESS_HEADERS:
        return name, _comparable_address(value)
    return name, value.lower()


def _comparable_address(value: str) -> str:
    """Return the same text for addresses that are the same but for case outside the user part (RFC 3261 §20)."""
    try:
        address = NameAddr.parse(value)
        uri = parse_uri(address.uri)
    except BadURI:
        return value
    parameters = sorted(str(_folded(f"{name}={text}")) for name, text in uri.parameters)
    port = "" if uri.port is None else str(uri.port)
    return " ".join([uri.scheme, _plain(uri.user) or "", _comparable_host(uri.host), port, *parameters])
