"""Session descriptions (RFC 8866) as a relay needs them: where media goes, and the same text with other addresses.

Every line that need not change keeps its octets. What is changed is what tells an address, and ICE (RFC 8839), which
ends at this node.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from p2pship.address import BadAddress, HostPort, canonical_host, is_never_dialled
from p2pship.errors import RemoteError

LARGEST_SDP = 32_768  # a browser's offer with candidates has about 8 KiB
MOST_MEDIA = 32  # each may cost a pair of ports

_LINE = re.compile(rb"([a-z])=([^\r\n]*)(\r\n|\n|\Z)")
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


@dataclass(frozen=True, slots=True)
class SDPLine:
    """One line, as it came."""

    kind: str
    "the letter before the ``=``"
    value: str
    "what follows it"
    raw: bytes
    "the octets with their line end"

    @classmethod
    def make(cls, kind: str, value: str, like: SDPLine) -> Self:
        """Make a line that ends as another does."""
        end = like.raw[len(like.raw.rstrip(b"\r\n")) :]
        return cls(kind, value, f"{kind}={value}".encode("utf-8", "surrogateescape") + end)

    @property
    def attribute(self) -> str:
        """The name of an attribute; empty for other lines."""
        return self.value.partition(":")[0] if self.kind == "a" else ""


Lines = tuple[SDPLine, ...]


class MediaLine:
    """One media description: an m= line and what follows it, with what the session says for all."""

    __slots__ = (
        *("direction", "formats", "host", "kind", "lines", "muxed", "port", "protocol"),
        *("rtcp", "rtp", "separate_rtcp"),
    )

    def __init__(self, lines: Lines, session: Lines = ()) -> None:
        """Take the lines, the m= line first, and the session's.

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
        self.direction = _direction(lines) or _direction(session) or "sendrecv"
        self.host = _connection(lines) or _connection(session)
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
        shared = tuple(line for line in session if line.kind == "c" or line.attribute.strip() in _DIRECTIONS)
        self.media = tuple(MediaLine(lines, shared) for lines in media)

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
        media = [line.raw for part in self.media for line in part.lines]
        return b"".join([line.raw for line in self.session] + media)

    def rewrite(self, address: str, ports: Sequence[tuple[int, int] | None]) -> bytes:
        """Return it with another address and other ports, and without ICE.

        ``address`` is an IP address literal. ``ports`` has, for each media description, the ports of RTP and RTCP;
        None refuses it with port 0, as does a transport that is not UDP. What is refused already stays so, and a hold by
        address (RFC 3264 §8.4) stays a hold. An attribute of any kind that has an address of the description in it goes, and in
        other lines, such as the session's name, the new address takes its place.
        """
        shown = f"IN {'IP6' if ':' in address else 'IP4'} {address}"
        known = self._addresses()
        session = [
            line for line in self.session if line.attribute != "rtcp"
        ]  # RFC 3605 §2.1 knows no such line
        lines = _readdressed(session, shown, known)
        for part, pair in zip(self.media, ports, strict=True):
            used = pair if part.is_udp and part.port else None
            lines += _readdressed(_with_ports(part, used), shown, known)
        return b"".join([line.raw for line in lines])

    def _addresses(self) -> set[str]:
        """Return the literal addresses that it names as its own."""
        hosts = {line.value.split()[-1] for line in self.session if line.kind == "o" and line.value.strip()}
        hosts.update(
            host for host in (_connection(self.session), *[part.host for part in self.media]) if host
        )
        return {host for host in hosts if _is_address(host)}


def capabilities(description: bytes) -> bytes:
    """Return a description that only says what can be done, without an address or a port (RFC 3264 §9).

    :raises BadSDP: if it cannot be read.
    """
    sdp = SDP.parse(description)
    return sdp.rewrite(_NOWHERE, [None] * len(sdp.media))


def _split(data: bytes) -> Lines:
    lines: list[SDPLine] = []
    at, end = 0, len(data.rstrip(b"\r\n"))
    while at < end:
        match = _LINE.match(data, at)
        if match is None:
            raise BadSDP(f"{data[at : at + 40]!r} is not a line of a session description")
        raw = match[0] if match[3] else match[0] + b"\r\n"
        lines.append(SDPLine(match[1].decode(), match[2].decode("utf-8", "surrogateescape"), raw))
        at = match.end()
    return tuple(lines)


def _connection(lines: Lines) -> str | None:
    value = next((line.value for line in lines if line.kind == "c"), None)
    if value is None:
        return None
    match = _CONNECTION.fullmatch(value)
    if match is None:
        raise BadSDP(f"c={value!r} is malformed")
    return match[1]


def _direction(lines: Lines) -> str | None:
    return next((line.value.strip() for line in lines if line.attribute.strip() in _DIRECTIONS), None)


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
    new: list[SDPLine] = []
    for line in lines:
        if line.kind == "a":
            told = any(address in line.value for address in known)
            if not told and line.attribute.strip().lower() not in _LEFT_OUT:
                new.append(line)
        else:
            new.append(_readdressed_line(line, shown, known))
    return new


def _readdressed_line(line: SDPLine, shown: str, known: set[str]) -> SDPLine:
    """Return a line other than of an attribute with another address, also where it stands in a text."""
    kind, value = line.kind, line.value
    if kind == "m":
        return line
    if kind == "c":
        return line if _connection((line,)) in _HOLDS else SDPLine.make("c", shown, line)
    if kind == "o":
        match = _ORIGIN.fullmatch(value)
        if match is None:
            raise BadSDP(f"o={value!r} is malformed")
        value = f"{match[1]} "
    for address in known:
        if address in value:
            value = value.replace(address, shown.rpartition(" ")[2])
    if kind == "o":
        return SDPLine.make("o", value + shown, line)
    return line if value is line.value else SDPLine.make(kind, value, line)


def _with_ports(part: MediaLine, pair: tuple[int, int] | None) -> list[SDPLine]:
    rtp, rtcp = pair or (0, 0)
    formats = "".join([f" {each}" for each in part.formats])
    first = SDPLine.make(
        "m", f"{part.lines[0].value.split()[0]} {rtp} {part.protocol}{formats}", part.lines[0]
    )
    rest = [line for line in part.lines[1:] if line.attribute != "rtcp"]
    if pair is None:
        return [first, *rest]
    if part.attributes("rtcp") or rtcp not in (rtp + 1, rtp if part.muxed else rtp + 1):
        rest.append(SDPLine.make("a", f"rtcp:{rtcp}", first))
    return [first, *rest]
