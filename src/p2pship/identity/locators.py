"""Locators as a record holds them: in binary, most preferred first.

Each begins with an octet: the family of its address in the upper half (4, 6, or 0 for the address of the locator
before), the bearer in the lower (1 to 15, or 0 for a name that follows as a length octet and ASCII). The address and
the port follow. A bearer that has no number here is thus skipped, not stumbled over.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from p2pship.address import Locator, canonical_host
from p2pship.errors import BadPapers, LocalError

LONGEST_LOCATORS = 320
"Octets of all locators of a record: sixteen with an IPv6 address each, and some room."

MOST_LOCATORS = 32
"Each is an attempt that a stranger makes others start."

BEARERS = {1: "hip", 2: "tls", 3: "tcp", 4: "udp"}
"The bearers that have a number."

_NUMBERS = {name: number for number, name in BEARERS.items()}
_NAME = re.compile(rb"[a-z0-9]{1,32}")
_ADDRESS_LENGTH = {4: 4, 6: 16}
_PORT_LENGTH = 2


def encode_locators(locators: Iterable[Locator]) -> bytes:
    """Return the encoding of as many of the locators, most preferred first, as a record may hold."""
    encoded, before = b"", ""
    for locator in tuple(locators)[:MOST_LOCATORS]:
        more = _encode(locator, before)
        if len(encoded) + len(more) > LONGEST_LOCATORS:
            break
        encoded, before = encoded + more, locator.host
    return encoded


def decode_locators(data: bytes) -> tuple[Locator, ...]:
    """Return the locators; those of bearers whose number nobody knows yet are left out.

    :raises BadPapers: if they are not of the form that the module says, or too many.
    """
    locators: list[Locator] = []
    at, host = 0, ""
    for _ in range(MOST_LOCATORS):
        if at == len(data):
            return tuple(locators)
        family, number = data[at] >> 4, data[at] & 0x0F
        bearer, at = _name(data, at + 1) if number == 0 else (BEARERS.get(number), at + 1)
        host, at = _host(data, at, family, host)
        port, at = int.from_bytes(_take(data, at, _PORT_LENGTH), "big"), at + _PORT_LENGTH
        if not port:
            raise BadPapers("a locator in the record has port 0")
        if bearer:
            locators.append(Locator(bearer, host, port))
    if at < len(data):
        raise BadPapers(f"the record has more than {MOST_LOCATORS} locators")
    return tuple(locators)


def _encode(locator: Locator, before: str) -> bytes:
    number = _NUMBERS.get(locator.bearer, 0)
    address = ipaddress.ip_address(locator.host)
    family = 0 if locator.host == before else address.version
    name = b"" if number else _encode_name(locator.bearer)
    packed = address.packed if family else b""
    return bytes([family << 4 | number]) + name + packed + locator.port.to_bytes(_PORT_LENGTH, "big")


def _encode_name(bearer: str) -> bytes:
    name = bearer.encode("ascii", "replace")
    if not _NAME.fullmatch(name):
        raise LocalError(f"a bearer's name is 1 to 32 lower-case letters and digits, not {bearer!r}")
    return bytes([len(name)]) + name


def _name(data: bytes, at: int) -> tuple[str, int]:
    length = _take(data, at, 1)[0]
    name = _take(data, at + 1, length)
    if not _NAME.fullmatch(name):
        raise BadPapers("a locator in the record has a bearer's name that is none")
    return name.decode("ascii"), at + 1 + length


def _host(data: bytes, at: int, family: int, before: str) -> tuple[str, int]:
    if family == 0 and before:
        return before, at
    length = _ADDRESS_LENGTH.get(family)
    if length is None:
        raise BadPapers(f"a locator in the record has an address of family {family}")
    return canonical_host(str(ipaddress.ip_address(_take(data, at, length)))), at + length


def _take(data: bytes, at: int, length: int) -> bytes:
    if at + length > len(data):
        raise BadPapers("the locators in the record are cut short")
    return data[at : at + length]
