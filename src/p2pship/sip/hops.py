"""The two kinds of next hop: a peer, over its link, and a phone, over the sockets of the transport."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol, cast

from twisted.internet.defer import Deferred
from zope.interface import implementer

from p2pship.address import BadAddress, HostPort, canonical_host
from p2pship.identity.hit import format_hit
from p2pship.interfaces import IPeer, ISIPHop
from p2pship.sip.message import Message
from p2pship.sip.udp import NotSent
from p2pship.sip.uri import NameAddr, parse_uri

SUBPROTOCOL = "sip"
"The overlay's subprotocol that carries SIP messages, each as one payload."

LARGEST_PAYLOAD = 65_536
"octets that a peer takes in one payload"

_SPOKEN = (None, "udp", "tcp")
"The transports that a Contact may ask for."


@implementer(ISIPHop)
class PeerHop:
    """A peer as the next hop. The link is a reliable transport; an acknowledgement says only that it was taken."""

    reliable = True
    transport = "P2P"
    address = None
    trusted = True

    def __init__(self, peer: IPeer) -> None:
        self.peer = peer
        # The peer itself: an identity that calls itself has two peers of the same names and HIT.
        self.key: Hashable = ("peer", peer)
        self.sent_by = f"[{format_hit(peer.own_hit)}]"
        self.description = f"peer {peer.aor}"

    def send(self, message: Message) -> Deferred[None] | None:
        """Send it as one payload, or hand a copy to this very node where both phones are its own.

        :raises NotSent: if what this node added has made it too long for a payload.
        :raises PayloadRefused: if this very node does not take it.
        """
        payload = message.encode()
        if len(payload) > LARGEST_PAYLOAD:
            raise NotSent(f"a message of {len(payload)} octets is too long for a link")
        if self.peer.hand_over(SUBPROTOCOL, message.copy(), len(payload)):
            return None
        sent: Deferred[bytes] = self.peer.send(SUBPROTOCOL, payload)
        return sent.addCallback(lambda _answer: None)


class PhoneHops(Protocol):
    """What finds the hop to a phone's address: the phone transport."""

    def hop_for(self, host: str, port: int, transport: str) -> ISIPHop:
        """Return the hop to an address literal and port over ``UDP`` or ``TCP``."""

    def is_connected(self, address: HostPort) -> bool:
        """Tell whether a TCP connection with this very address is up."""


def hop_to_phone(hops: PhoneHops, target: str, routes: Sequence[str], registered_over: ISIPHop) -> ISIPHop:
    """Return the hop for a request to a phone (RFC 3261 §16.6 item 7): its first route, or else its Contact.

    A name that is no address literal, such as the made-up host of a browser, means where the phone registered from; so
    does a transport that this node does not speak, such as TLS: the phone has proven that it is reached otherwise. So
    does the Contact of a phone that registered over TCP, as long as that connection is up: afterwards, as when this
    node was started anew, the Contact means what it says. A phone of another machine is only ever sent to where it
    registered from: it may be behind a NAT, and whoever has its password must not have this node send to others.

    :raises BadURI: if the URI cannot be read.
    """
    uri = parse_uri(NameAddr.parse(routes[0]).uri if routes else target)
    if uri.transport not in _SPOKEN and not routes:
        return registered_over
    over_tcp = registered_over.transport == "TCP" and uri.transport in (None, "tcp") and not routes
    if over_tcp and registered_over.address is not None and hops.is_connected(registered_over.address):
        return registered_over
    try:
        host = canonical_host(uri.host)
    except BadAddress:
        return registered_over
    if not registered_over.trusted and host != source_of(registered_over).host:
        return registered_over
    return hops.hop_for(host, uri.port or 5060, "TCP" if over_tcp or uri.transport == "tcp" else "UDP")


def peer_of(hop: ISIPHop) -> IPeer | None:
    """Return the peer that a hop leads to; None for a phone."""
    return hop.peer if isinstance(hop, PeerHop) else None


def source_of(hop: ISIPHop) -> HostPort:
    """Return the address of a phone's hop."""
    return cast("HostPort", hop.address)


def own_route(hop: ISIPHop) -> str:
    """Return this node's Record-Route value towards a phone: the listener that it talks to (§16.6 item 4)."""
    return f"<sip:{hop.sent_by};transport={hop.transport.lower()};lr>"
