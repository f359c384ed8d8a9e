"""Which person a SIP URI names, as seen from this node."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

from p2pship.address import BadAddress, canonical_host, is_loopback, is_unspecified
from p2pship.identity.aor import canonical_aor
from p2pship.sip.uri import parse_uri

_LOOPBACK = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
"What hosts files call this machine."


class OwnNames:
    """Knows the hosts that are this node itself, and so which domain stands in their place."""

    def __init__(self, domain: str, addresses: Callable[[], Iterable[str]]) -> None:
        """Take the ``[sip] domain`` and a call that returns this machine's address literals."""
        self.domain = domain
        self._addresses = addresses
        self._names = {*_LOOPBACK, socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}

    def is_own(self, host: str) -> bool:
        """Tell whether a host, literal or name, is this node."""
        try:
            literal = canonical_host(host)
        except BadAddress:
            return self._is_own_name(host.lower().rstrip("."))
        return is_loopback(literal) or is_unspecified(literal) or literal in set(self._addresses())

    def _is_own_name(self, name: str) -> bool:
        """Tell whether a name is ours; ``127.1`` is none, but sockets take it for an address (POSIX ``inet_addr``)."""
        if name in self._names or name.endswith(".localhost"):  # RFC 6761 §6.3
            return True
        try:
            return name[:1].isdigit() and self.is_own(socket.inet_ntoa(socket.inet_aton(name)))
        except OSError:
            return False

    def aor(self, uri: str, own_domain: str | None = None) -> str:
        """Return the canonical AOR that a SIP URI names.

        A host that is this node itself is read as ``own_domain`` (where a caller's name is completed) or else as the
        configured domain.

        :raises BadURI: if it is no SIP URI.
        :raises BadAOR: if it names no person.
        """
        parsed = parse_uri(uri)
        host = (own_domain or self.domain) if self.is_own(parsed.host) else parsed.host
        return canonical_aor(f"{parsed.user or ''}@{f'[{host}]' if ':' in host else host}")
