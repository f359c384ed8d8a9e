"""Session descriptions (RFC 8866) as a relay needs them: where media goes, and the same text with other addresses.

Every line that need not change keeps its octets. What is changed is what tells an address, and ICE (RFC 8839), which
ends at this node.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise, starmap
from typing import NamedTuple, Self

from p2pship.address import BadAddress, HostPort, canonical_host, is_never_dialled
from p2pship.errors import RemoteError

LARGEST_SDP = 32_768  # a browser's offer with candidates has about 8 KiB
MOST_MEDIA = 32  # each may cost a pair of ports

# Tried where lines begin only, and without going back, so that a hostile line is read once.
_LINE = re.compile(r"^([a-z])=((?:(?<=a=)([^\r\n:]*+))?+[^\r\n]*+)(\r\n|\n|\Z)", re.MULTILINE)
_LINE_END = re.compile(r"\r\n|\n|\Z")
_MEDIA = re.compile(r"(\S+) +([0-9]{1,5})(?:/[0-9]+)? +(\S+)((?: +\S+)*) *")
_CONNECTION = re.compile(r"IN +IP[46] +([^\s/]+)(?:/[0-9/]+)? *")
_ORIGIN = re.compile(r"(\S+ +\S+ +\S+) +\S+ +\S+ +\S+ *")
_RTCP = re.compile(r"([0-9]{1,5})(?: +IN +IP[46] +(\S+))? *")

_OVER_UDP = frozenset({"RTP", "UDP", "UDPTL", "DTLS"})
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_NOWHERE = "0.0.0.0"
_HOLDS = frozenset({_NOWHERE, "::"})
# RFC 8839 §5; source-filter (RFC 4570) names the sender's address, and path (RFC 4975), altc (RFC 6947), ccap (RFC 7006) and
# the alt of some old phones the receiver's.
_LEFT_OUT = frozenset(
    {
        "alt",
        "altc",
        "candidate",
        "ccap",
        "end-of-candidates",
        "ice-lite",
        "ice-mismatch",
        "ice-options",
        "ice-pacing",
        "ice-pwd",
        "ice-ufrag",
        "path",
        "remote-candidates",
        "source-filter",
    }
)


class BadSDP(RemoteError):
    """This is not a session description."""


class SDPLine(NamedTuple):
    """One line, as it came."""

    kind: str
    "the letter before the ``=``"
    value: str
    "what follows it"
    attribute: str
    "the name of an attribute; empty for other lines"
    end: str
    "the line end"


Lines = tuple[SDPLine, ...]


class MediaLine:
    """One media description: an m= line and what follows it, with what the session says for all."""

    __slots__ = (
        *("direction", "formats", "host", "kind", "lines", "muxed", "port", "protocol"),
        *("rtcp", "rtp", "separate_rtcp"),
    )

    def __init__(self, lines: Lines, host: str | None, direction: str | None) -> None:
        """Take the lines, the m= line first, and what the session says for all: the address and the direction.

        :raises BadSDP: if the m=, c= or a=rtcp line is malformed.
        """
        match = _MEDIA.fullmatch(lines[0].value)
        if match is None or int(match[2]) > 0xFFFF:
            raise BadSDP(f"{lines[0].value!r} is not a media description")
        self.lines = lines
        self.kind = match[1].lower()
        "``audio``, ``video`` and so on"
        self.port = int(match[2])
        self.protocol = match[3]
        "as written: ``RTP/AVP``"
        self.formats = tuple(match[4].split())
        self.muxed = "rtcp-mux" in [line.attribute for line in lines]
        "whether RTCP may come to the port of RTP (RFC 5761)"
        self.direction = _direction(lines) or direction or "sendrecv"
        self.host = _connection(lines) or host
        "the address or name in the c= line that applies; None if there is none"
        self.rtp = _reachable(self.host, self.port)
        "where RTP is wanted; None when nowhere: port 0, hold by address, or an address that nothing can be sent to"
        self.separate_rtcp = self._find_rtcp()
        "where RTCP is wanted if it does not share the port of RTP; None when RTP is wanted nowhere"
        self.rtcp = self.rtp if self.muxed else self.separate_rtcp
        "where RTCP is wanted if the other side has it share the port of RTP when this one would"

    @property
    def is_udp(self) -> bool:
        """Whether it is carried in UDP, such as RTP, DTLS-SRTP and T.38 (RFC 4571 and RFC 4145 are not)."""
        return self.protocol.partition("/")[0].upper() in _OVER_UDP

    def attributes(self, name: str) -> list[str]:
        """Return the values of an attribute; empty text for one without a value."""
        return [line.value.partition(":")[2] for line in self.lines if line.attribute == name]

    @property
    def rtcp_with_rtp(self) -> bool:
        """Whether RTCP is wanted at the port of RTP whatever the other side says of rtcp-mux (RFC 3605)."""
        return self.rtp is not None and self.rtp == self.separate_rtcp

    def _find_rtcp(self) -> HostPort | None:
        if self.rtp is None:
            return None
        stated = self.attributes("rtcp")
        if not stated:
            return _reachable(self.host, self.port + 1)
        match = _RTCP.fullmatch(stated[0])  # RFC 3605 §2.1
        if match is None or int(match[1]) > 0xFFFF:
            raise BadSDP(f"a=rtcp:{stated[0]!r} is malformed")
        return _reachable(match[2] or self.host, int(match[1]))


class SDP:
    """A session description."""

    def __init__(self, session: Lines, media: Sequence[Lines]) -> None:
        """Take the lines of the session and those of each media description.

        :raises BadSDP: if a line that is looked at is malformed.
        """
        self.session = session
        self._host = _connection(session)
        direction = _direction(session)
        self.media = tuple([MediaLine(lines, self._host, direction) for lines in media])

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a description; lines may end with LF alone.

        :raises BadSDP: if it is not one, or breaks a limit.
        """
        if len(data) > LARGEST_SDP:
            raise BadSDP(f"the session description has more than {LARGEST_SDP} octets")
        lines = _split(data)
        if not lines or lines[0].kind != "v":
            raise BadSDP("the session description does not begin with v=")
        starts = [at for at, line in enumerate(lines) if line.kind == "m"]
        if len(starts) > MOST_MEDIA:
            raise BadSDP(f"the session description has more than {MOST_MEDIA} media lines")
        bounds = [*starts, len(lines)]
        return cls(lines[: bounds[0]], [lines[start:end] for start, end in pairwise(bounds)])

    def encode(self) -> bytes:
        """Return it as it came; the last line has an end in any case."""
        return _joined([*self.session, *[line for part in self.media for line in part.lines]])

    def rewrite(self, address: str, ports: Sequence[tuple[int, int] | None]) -> bytes:
        """Return it with another address and other ports, and without ICE.

        ``address`` is an IP address literal. ``ports`` has, for each media description, the ports of RTP and RTCP;
        None refuses it with port 0, as does a transport that is not UDP. What is refused already stays so, and a hold by
        address (RFC 3264 §8.4) stays a hold. An attribute of any kind that has an address of the description in it goes, and in
        other lines, such as the session's name, the new address takes its place.
        """
        shown = f"IN {'IP6' if ':' in address else 'IP4'} {address}"
        known = self._addresses()
        # RFC 3605 §2.1 knows no such line of a session
        session = [line for line in self.session if line.attribute != "rtcp"]
        lines = _readdressed(session, shown, known)
        for part, pair in zip(self.media, ports, strict=True):
            used = pair if part.is_udp and part.port else None
            lines += _readdressed(_with_ports(part, used), shown, known)
        return _joined(lines)

    def _addresses(self) -> set[str]:
        """Return the literal addresses that it names as its own."""
        hosts = {line.value.split()[-1] for line in self.session if line.kind == "o" and line.value.strip()}
        hosts.update([host for host in (self._host, *[part.host for part in self.media]) if host])
        return {host for host in hosts if _is_address(host)}


def capabilities(description: bytes) -> bytes:
    """Return a description that only says what can be done, without an address or a port (RFC 3264 §9).

    :raises BadSDP: if it cannot be read.
    """
    sdp = SDP.parse(description)
    return sdp.rewrite(_NOWHERE, [None] * len(sdp.media))


def _split(data: bytes) -> Lines:
    text = data.decode("utf-8", "surrogateescape")
    bare = text.rstrip("\r\n")
    found = _LINE.findall(bare)
    last_end = _LINE_END.match(text, len(bare))
    if last_end is None or sum([len(value) + len(end) + 2 for _, value, _, end in found]) != len(bare):
        raise BadSDP("not every line of the session description is one")
    lines = list(starmap(SDPLine, found))
    if lines:
        lines[-1] = lines[-1]._replace(end=last_end[0] or "\r\n")
    return tuple(lines)


def _joined(lines: Iterable[SDPLine]) -> bytes:
    text = "".join([f"{kind}={value}{end}" for kind, value, _, end in lines])
    return text.encode("utf-8", "surrogateescape")


def _connection(lines: Lines) -> str | None:
    values = [line.value for line in lines if line.kind == "c"]
    if not values:
        return None
    match = _CONNECTION.fullmatch(values[0])
    if match is None:
        raise BadSDP(f"c={values[0]!r} is malformed")
    return match[1]


def _direction(lines: Lines) -> str | None:
    stated = [
        line.value.strip() for line in lines if line.attribute and line.attribute.strip() in _DIRECTIONS
    ]
    return stated[0] if stated else None


def _reachable(host: str | None, port: int) -> HostPort | None:
    if host is None or not 0 < port <= 0xFFFF:
        return None
    try:
        literal = canonical_host(host)
    except BadAddress:
        return None  # a name: whoever needs it must ask the DNS, which no phone on a SIP network does in SDP
    return None if is_never_dialled(literal) else HostPort(literal, port)


def _is_address(host: str) -> bool:
    return host not in _HOLDS and (":" in host or host.replace(".", "").isdigit())


def _readdressed(lines: Iterable[SDPLine], shown: str, known: set[str]) -> list[SDPLine]:
    return [
        line if line.kind == "a" else _readdressed_line(line, shown, known)
        for line in lines
        if line.kind != "a" or not _is_left_out(line, known)
    ]


def _is_left_out(line: SDPLine, known: set[str]) -> bool:
    told = [address for address in known if address in line.value]
    return bool(told) or line.attribute.strip().lower() in _LEFT_OUT


def _readdressed_line(line: SDPLine, shown: str, known: set[str]) -> SDPLine:
    """Return a line other than of an attribute with another address, also where it stands in a text."""
    kind, value = line.kind, line.value
    if kind == "m":
        return line
    if kind == "c":
        return line if _connection((line,)) in _HOLDS else SDPLine("c", shown, "", line.end)
    if kind == "o":
        match = _ORIGIN.fullmatch(value)
        if match is None:
            raise BadSDP(f"o={value!r} is malformed")
        value = f"{match[1]} "
    for address in known:
        if address in value:
            value = value.replace(address, shown.rpartition(" ")[2])
    if kind == "o":
        value += shown
    return line if value is line.value else SDPLine(kind, value, "", line.end)


def _with_ports(part: MediaLine, pair: tuple[int, int] | None) -> list[SDPLine]:
    rtp, rtcp = pair or (0, 0)
    formats = "".join([f" {each}" for each in part.formats])
    line = part.lines[0]
    first = SDPLine("m", f"{line.value.split()[0]} {rtp} {part.protocol}{formats}", "", line.end)
    rest = [line for line in part.lines[1:] if line.attribute != "rtcp"]
    if pair is None:
        return [first, *rest]
    if part.attributes("rtcp") or rtcp not in (rtp + 1, rtp if part.muxed else rtp + 1):
        rest.append(SDPLine("a", f"rtcp:{rtcp}", "rtcp", first.end))
    return [first, *rest]
