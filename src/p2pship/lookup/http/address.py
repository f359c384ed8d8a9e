"""The address of a rendezvous server or of a proxy, as people write it: ``https://rendezvous.example.com``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from p2pship.address import BadAddress, canonical_host, is_loopback
from p2pship.errors import RemoteError

PORTS = {"https": 443, "http": 80}

LONGEST = 1024
"Characters of an address."

LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
"Of a host's name in lower case (RFC 1123 §2.1), underscores allowed, which some have."

_NAME = re.compile(rf"(?=.{{1,254}}\Z)({LABEL}\.)*{LABEL}\.?")
"A host's name. Of other ones, which anybody may give, the machine's resolver makes errors."


class BadServer(RemoteError):
    """This is not the address of a server."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server answers; two addresses of the same server are equal."""

    scheme: str
    "``https``, or ``http``, where everybody on the way sees what is asked"
    host: str
    "a name, in lower case, or an IP address without brackets"
    port: int
    path: str = ""
    "what comes before the paths of the server, without a slash at the end"

    @property
    def encrypted(self) -> bool:
        """Whether nobody on the way sees what is asked."""
        return self.scheme == "https"

    @property
    def is_here(self) -> bool:
        """Whether it names this very machine, whose clock the server then has."""
        try:
            return is_loopback(self.host)
        except ValueError:  # it is a name
            return self.host == "localhost"

    @property
    def authority(self) -> str:
        """The host and the port, as in a URL (RFC 3986 §3.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        usual = self.port == PORTS[self.scheme]
        return f"{self.scheme}://{self.authority.rpartition(':')[0] if usual else self.authority}{self.path}"

    @classmethod
    def parse(cls, text: str) -> ServerAddress:
        """Read an http or https URL that names a server, and maybe a folder there.

        :raises BadServer: if it is none.
        """
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise BadServer(f"{text[:LONGEST]!r} is no address of a server") from None
        if len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
            raise BadServer(f"{text[:LONGEST]!r} has characters that no address has, or too many")
        if parts.scheme not in PORTS or not host or port == 0:
            raise BadServer(f"{text!r} is not an address such as https://rendezvous.example.com")
        if not _NAME.fullmatch(host) and not _is_literal(host):
            raise BadServer(f"{host!r} is no name of a host, and no IP address")
        if parts.username is not None or parts.query or parts.fragment:
            raise BadServer(f"{text!r} has more than the server and a folder")
        return cls(parts.scheme, host, port or PORTS[parts.scheme], parts.path.rstrip("/"))


def _is_literal(host: str) -> bool:
    try:
        canonical_host(host)
    except BadAddress:
        return False
    return True
