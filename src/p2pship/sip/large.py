"""Requests that are too large for a datagram (RFC 3261 §18.1.1).

They go over TCP, and their Via says so. A phone that takes no TCP connection gets them over UDP after all, in the same
transaction: fragments arrive on loopback, where nearly all phones are. The Record-Route value stays that of UDP, which
is where the phone should send the next request of its own.
"""

from __future__ import annotations

from p2pship.errors import RemoteError
from p2pship.interfaces import ISIPHop
from p2pship.sip.message import Message, Request
from p2pship.sip.udp import UDPHop

LARGEST_REQUEST = 1_300
"octets that a request may have over UDP where the path's MTU is not known"
VIA_ROOM = 100
"octets that our own Via adds, at the most"


def hop_for_size(request: Request, hop: ISIPHop) -> ISIPHop:
    """Return where to send a request first, to which our Via is still to be added: mostly the hop itself."""
    if not isinstance(hop, UDPHop) or len(request.encode()) + VIA_ROOM <= LARGEST_REQUEST:
        return hop
    return hop.stream or hop


def via_of(hop: ISIPHop, branch: str) -> str:
    """Return this node's Via value for a request to a hop."""
    return f"SIP/2.0/{hop.transport} {hop.sent_by};branch={branch};rport"


def rerouted(message: Message, hop: ISIPHop) -> Message:
    """Change our Via on top of a request to that of another hop, and return the request.

    :raises RemoteError: if there is none.
    """
    branch = message.via.branch
    if branch is None:
        raise RemoteError("there is no Via of ours")
    message.pop("Via")
    message.prepend("Via", via_of(hop, branch))
    return message
