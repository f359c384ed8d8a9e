"""SIP URIs and the addresses that are made of them: name-addr and Via (RFC 3261 §19.1, §20.10, §20.42)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Self

from p2pship.address import without_third_colon
from p2pship.sip.parameters import NONE, QUOTED, TOKEN, BadURI, Parameters, quote, unquote

__all__ = [
    "SIPURI",
    "BadURI",
    "NameAddr",
    "Parameters",
    "Via",
    "parse_uri",
    "request_uri",
    "scheme_of",
    "unescaped",
]

_ESCAPED = "%[0-9A-Fa-f]{2}"
_HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9\-._]*"  # underscores are in live host names
_PORT = "[0-9]{1,5}"

# Hostile text costs no more than time in proportion to its length: no two neighbouring repetitions can share a text.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+\-.]*):")
# "#" should be escaped in a user part; telephones send it as it is dialled.
_SIP_URI = re.compile(
    rf"(?:((?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#]|{_ESCAPED})+)(?::((?:[A-Za-z0-9\-_.!~*'()&=+$,]|{_ESCAPED})*))?@)?"
    rf"({_HOST})(?::({_PORT}))?(;[^?]*)?(?:\?(.+))?"
)
_URI_HEADER = re.compile(
    rf"((?:[A-Za-z0-9\-_.!~*'()\[\]/?:+$]|{_ESCAPED})+)=((?:[A-Za-z0-9\-_.!~*'()\[\]/?:+$]|{_ESCAPED})*)"
)
# Telephones send names in UTF-8 without the quotes that they should have (RFC 3261 §25.1).
_WORD = TOKEN.replace("[", "[\\u0080-\\U0010ffff", 1)
_NAME_ADDR = re.compile(
    rf'(?:({QUOTED})|((?:{_WORD}(?:[ \t]+{_WORD})*)?))[ \t]*<([^<>" \t\x00-\x1f\x7f]+)>(.*)', re.DOTALL
)
# Without brackets a URI ends at the first comma, question mark or semicolon (RFC 3261 §20).
_ADDR_SPEC = re.compile(r'([^<>",;? \t\x00-\x1f\x7f]+)([ \t]*(?:;.*)?)', re.DOTALL)
_VIA = re.compile(
    rf"({TOKEN}[ \t]*/[ \t]*{TOKEN})[ \t]*/[ \t]*({TOKEN})[ \t]+({_HOST}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)"
    rf"(?:[ \t]*:[ \t]*({_PORT}))?([ \t]*(?:;.*)?)",
    re.DOTALL,
)

# In one call each From, To, Via and URI is read some ten times, by each transaction and each copy of a message.
_KEPT = 256  # texts of each kind that are remembered as read: those of some thirty calls
_LONGEST_KEPT = 256  # so that they are at most a hundred kilobytes


@dataclass(frozen=True, slots=True)
class SIPURI:
    """A SIP or SIPS URI, its parts as they were written: escapes are kept."""

    scheme: str
    "``sip`` or ``sips``"
    user: str | None
    "escaped; None if there is none"
    host: str
    "a name or an address literal; IPv6 without brackets"
    port: int | None = None
    parameters: Parameters = NONE
    headers: tuple[tuple[str, str], ...] = ()
    "names and values, escaped"
    password: str | None = None

    def __str__(self) -> str:
        password = "" if self.password is None else f":{self.password}"
        userinfo = "" if self.user is None else f"{self.user}{password}@"
        headers = "&".join(f"{name}={value}" for name, value in self.headers)
        tail = f"{self.parameters}?{headers}" if headers else str(self.parameters)
        return f"{self.scheme}:{userinfo}{_sent_by(self.host, self.port)}{tail}"

    @property
    def transport(self) -> str | None:
        """The transport parameter in lower case; None if there is none."""
        value = self.parameters.get("transport")
        return None if value is None else value.lower()


def scheme_of(text: str) -> str:
    """Return the scheme of any URI in lower case.

    :raises BadURI: if it has none.
    """
    match = _SCHEME.match(text)
    if match is None:
        raise BadURI(f"{text!r} is not a URI")
    return match[1].lower()


def parse_uri(text: str) -> SIPURI:
    """Read a SIP or SIPS URI.

    :raises BadURI: with ``status`` 416 and ``scheme`` if it is of another scheme, else with ``status`` 400.
    """
    return _kept_uri(text) if len(text) <= _LONGEST_KEPT else _read_uri(text)


def _read_uri(text: str) -> SIPURI:
    scheme = "sip" if text.startswith("sip:") else scheme_of(text)
    if scheme not in ("sip", "sips"):
        raise BadURI(f"{text!r} is not a SIP URI", 416, scheme)
    match = _SIP_URI.fullmatch(text, len(scheme) + 1)
    if match is None:
        raise BadURI(f"{text!r} is not a well-formed SIP URI", 400, scheme)
    user, password, host, port, parameters, headers = match.groups()
    return SIPURI(
        scheme,
        user,
        _bare_host(host),
        _port(port),
        Parameters.of_uri(parameters) if parameters else NONE,
        _uri_headers(headers) if headers else (),
        password,
    )


_kept_uri = lru_cache(_KEPT)(_read_uri)


def request_uri(text: str) -> str:
    """Return a URI as it may stand in a Request-URI: without headers and method (RFC 3261 §16.6 item 2, §19.1.1).

    Nobody can thereby have header fields of their choice put into a request (§19.1.5).

    :raises BadURI: if it is malformed.
    """
    if ("?" not in text and "method" not in text.lower()) or scheme_of(text) not in ("sip", "sips"):
        return text
    uri = parse_uri(text)
    return str(replace(uri, parameters=uri.parameters.drop("method"), headers=()))


@dataclass(frozen=True, slots=True)
class NameAddr:
    """An address in a header field: ``"Bob" <sip:bob@example.com>;tag=1`` (name-addr or addr-spec)."""

    display: str
    "the display name without quotes; empty if there is none"
    uri: str
    "the URI as written, of any scheme; see :func:`parse_uri`"
    parameters: Parameters = NONE
    "the parameters of the header field, not of the URI"
    tag: str | None = field(init=False, compare=False, repr=False)
    "the tag parameter (RFC 3261 §19.3)"

    def __post_init__(self) -> None:
        object.__setattr__(self, "tag", self.parameters.get("tag"))

    def __str__(self) -> str:
        name = f"{quote(self.display)} " if self.display else ""
        return f"{name}<{self.uri}>{self.parameters}"

    @classmethod
    @lru_cache(_KEPT)
    def _kept(cls, text: str) -> Self:
        return cls._read(text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one value, unfolded.

        :raises BadURI: if it is malformed; of the URI, only the scheme is looked at.
        """
        return cls._kept(text) if len(text) <= _LONGEST_KEPT else cls._read(text)

    @classmethod
    def _read(cls, text: str) -> Self:
        bare = text.strip(" \t")
        match = _NAME_ADDR.fullmatch(bare)
        if match is not None:
            quoted, tokens, uri, rest = match.groups()
            display = unquote(quoted) if quoted else tokens.strip(" \t")
        else:
            display, uri, rest = "", *_addr_spec(bare)
        if not uri.startswith("sip:"):
            scheme_of(uri)
        return cls(display, uri, Parameters.of_header(rest) if rest else NONE)

    def with_parameter(self, name: str, value: str | None = None) -> NameAddr:
        """Return this with a parameter set."""
        return NameAddr(self.display, self.uri, self.parameters.put(name, value))

    def without_parameter(self, *names: str) -> NameAddr:
        """Return this without the parameters of these names."""
        return NameAddr(self.display, self.uri, self.parameters.drop(*names))


@dataclass(frozen=True, slots=True)
class Via:
    """One value of a Via header field (RFC 3261 §20.42)."""

    transport: str
    "in upper case: ``UDP``"
    host: str
    "the host of sent-by; IPv6 without brackets"
    port: int | None = None
    parameters: Parameters = NONE
    protocol: str = "SIP/2.0"
    "in upper case"

    def __str__(self) -> str:
        return f"{self.protocol}/{self.transport} {self.sent_by}{self.parameters}"

    @classmethod
    @lru_cache(_KEPT)
    def _kept(cls, text: str) -> Self:
        return cls._read(text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one value, unfolded.

        :raises BadURI: if it is malformed.
        """
        return cls._kept(text) if len(text) <= _LONGEST_KEPT else cls._read(text)

    @classmethod
    def _read(cls, text: str) -> Self:
        match = _VIA.fullmatch(text.strip(" \t"))
        if match is None:
            raise BadURI(f"{text!r} is not a Via")
        protocol, transport, host, port, rest = match.groups()
        parameters = Parameters.of_header(rest) if rest else NONE
        name = "SIP/2.0" if protocol == "SIP/2.0" else re.sub("[ \t]", "", protocol).upper()
        return cls(transport.upper(), _bare_host(host), _port(port), parameters, name)

    @property
    def sent_by(self) -> str:
        """The host and port as in the header: ``[2001:db8::1]:5060``."""
        return _sent_by(self.host, self.port)

    @property
    def branch(self) -> str | None:
        """The branch parameter (RFC 3261 §8.1.1.7)."""
        return self.parameters.get("branch")

    @property
    def received(self) -> str | None:
        """The received parameter, IPv6 without brackets (RFC 3261 §18.2.1, RFC 5118 §4.5)."""
        value = self.parameters.get("received")
        return None if value is None else value.strip("[]")

    @property
    def rport(self) -> int | None:
        """The port in the rport parameter; None if it has none, also when it is there (RFC 3581 §3)."""
        value = self.parameters.get("rport") or ""
        return int(value) if re.fullmatch(_PORT, value) and 0 < int(value) <= 0xFFFF else None

    def with_parameter(self, name: str, value: str | None = None) -> Via:
        """Return this with a parameter set."""
        return Via(self.transport, self.host, self.port, self.parameters.put(name, value), self.protocol)

    def without_parameter(self, *names: str) -> Via:
        """Return this without the parameters of these names."""
        return Via(self.transport, self.host, self.port, self.parameters.drop(*names), self.protocol)


def _sent_by(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def _addr_spec(text: str) -> tuple[str, str]:
    match = _ADDR_SPEC.fullmatch(text)
    if match is None:
        raise BadURI(f"{text!r} is not an address")
    return match[1], match[2]


def _bare_host(host: str) -> str:
    if ":" not in host:
        return host
    bare = without_third_colon(host.strip("[]"))
    if not _is_ipv6(bare):
        raise BadURI(f"{host!r} is not an IPv6 address")
    return bare


@lru_cache(_KEPT)
def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    port = int(text) if len(text) <= 5 else 0
    if not 0 < port <= 0xFFFF:
        raise BadURI(f"{text!r} is not a port")
    return port


def _uri_headers(text: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for part in text.split("&"):
        match = _URI_HEADER.fullmatch(part)
        if match is None:
            raise BadURI(f"{part!r} is not a header of a URI")
        pairs.append((match[1], match[2]))
    return tuple(pairs)


def unescaped(text: str) -> str:
    """Resolve the escapes of a text, once (RFC 3261 §19.1.2)."""
    octets = re.sub(
        rb"%([0-9A-Fa-f]{2})",
        lambda match: bytes([int(match[1], 16)]),
        text.encode("utf-8", "surrogateescape"),
    )
    return octets.decode("utf-8", "surrogateescape")
