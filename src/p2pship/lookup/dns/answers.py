"""What answers from the DNS say about the name that was asked for; whatever else is in them is not looked at.

An answer may be anybody's: each function returns what has its form, and passes over what has not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from p2pship.address import canonical_host
from p2pship.lookup.dns.wire import BadHIPRecord, HIPRecord
from p2pship.lookup.http.address import LABEL

if TYPE_CHECKING:
    from dns.message import Message

MOST_RECORDS = 16
"Records of one kind that are looked at: more than any domain has need of."

LONGEST_TEXT = 1024
"Octets of a text: as many as two addresses of servers can have."

TEXT_VERSION = "v=p2pship1"
"What a text begins with that is for us: others may be at the same name."

_HOST = re.compile(rf"(?=.{{1,254}}\Z)({LABEL}\.)+")
"A host's name in lower case with the last dot."


@dataclass(frozen=True, slots=True)
class Service:
    """One SRV record (RFC 2782)."""

    priority: int
    "the lowest is asked first"
    weight: int
    port: int
    "1 to 65535"
    target: str
    "the name of a host, in lower case and with the last dot"


@dataclass(frozen=True, slots=True)
class Pointer:
    """One NAPTR record that says at which name the SRV records of a service are (RFC 3263 §4.1)."""

    order: int
    preference: int
    service: str
    "in upper case, such as ``P2PSHIP+D2H``"
    target: str
    "where the SRV records are: a name in lower case with the last dot"


def lifetime(answer: Message) -> int:
    """Return for how many seconds an answer holds, by its own word."""
    return min((records.ttl for records in (*answer.answer, *answer.authority)), default=0)


def services(answer: Message) -> tuple[Service, ...]:
    """Return the SRV records; none where the one target is the root, which means that there is no such service."""
    found = (
        Service(record.priority, record.weight, record.port, _text(record.target))
        for record in _records(answer, "SRV")
        if record.port
    )
    return tuple(each for each in found if _HOST.fullmatch(each.target))


def is_denied(answer: Message) -> bool:
    """Tell whether SRV records say that there is decidedly no such service: the one target is the root (RFC 2782)."""
    return [_text(record.target) for record in _records(answer, "SRV")] == ["."]


def pointers(answer: Message) -> tuple[Pointer, ...]:
    """Return the NAPTR records that lead to SRV records; those that would lead on and on are passed over."""
    found = (
        Pointer(
            record.order,
            record.preference,
            record.service.decode("ascii", "replace").upper(),
            _text(record.replacement),
        )
        for record in _records(answer, "NAPTR")
        if record.flags.lower() == b"s" and not record.regexp
    )
    return tuple(each for each in found if _HOST.fullmatch(each.target))


def texts(answer: Message) -> tuple[dict[str, tuple[str, ...]], ...]:
    """Return what the TXT records for us say: ``v=p2pship1; key=value; ...``, where a key may be there several times."""
    joined = (b"".join(record.strings) for record in _records(answer, "TXT"))
    parts = (
        [part.strip() for part in text.decode("ascii").split(";")]
        for text in joined
        if len(text) <= LONGEST_TEXT and text.isascii()
    )
    return tuple(_values(part[1:]) for part in parts if part[0] == TEXT_VERSION)


def addresses(answer: Message) -> tuple[str, ...]:
    """Return the addresses that A or AAAA records give, in their canonical spelling."""
    found = (*_records(answer, "A"), *_records(answer, "AAAA"))
    return tuple(canonical_host(record.address) for record in found)


def hosts(answer: Message) -> tuple[HIPRecord, ...]:
    """Return the HIP records whose HIT is that of their key (RFC 8005 §4.1)."""
    return tuple(_checked_hosts(answer))


def _checked_hosts(answer: Message) -> Iterator[HIPRecord]:
    for record in _records(answer, "HIP"):
        try:
            host = HIPRecord.parse(record.to_wire())
            host.check()
        except BadHIPRecord:
            continue
        yield host


def _records(answer: Message, kind: str) -> list[Any]:
    """Return the records of a kind, if it was asked for, at the name that was asked for or at the end of its aliases."""
    import dns.exception
    import dns.message
    import dns.rdatatype

    if not isinstance(answer, dns.message.QueryMessage) or len(answer.question) != 1:
        return []
    if answer.question[0].rdtype != dns.rdatatype.from_text(kind):
        return []
    try:
        found = answer.resolve_chaining().answer
    except (
        dns.exception.DNSException
    ):  # its aliases go round, or it says both that there is something and that there is not
        return []
    return list(found or ())[:MOST_RECORDS]


def _text(name: Any) -> str:
    text: str = name.to_text()
    return text.lower()


def _values(parts: list[str]) -> dict[str, tuple[str, ...]]:
    values: dict[str, tuple[str, ...]] = {}
    for part in parts:
        key, _, value = part.partition("=")
        values[key.strip()] = (*values.get(key.strip(), ()), value.strip())
    return values
