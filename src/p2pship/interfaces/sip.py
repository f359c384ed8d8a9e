"""The seam of ``p2pship.sip``: where a SIP message goes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from p2pship.sip.message import Message


class ISIPHop(Interface):
    """Where SIP messages are sent next: a phone's socket or connection, or a peer."""

    reliable = Attribute("bool: whether messages arrive in order and none is lost (RFC 3261 §17)")
    transport = Attribute("str: the transport's name in a Via: ``UDP``, ``TCP`` or ``P2P``")
    sent_by = Attribute("str: the sent-by of this node's Via on it: ``127.0.0.1:5060``")
    description = Attribute("str: what it is, for the log: ``phone udp 127.0.0.1:5070``")
    address = Attribute("HostPort | None: where it leads to; None for a peer")
    key = Attribute("Hashable: equal for two hops that lead to the same place; keeps transactions apart")
    trusted = Attribute(
        "bool: whether who is there has proven itself by being there: a peer by its link, a phone by being on loopback"
    )

    def send(message: Message) -> Deferred[None] | None:
        """Send a message; raises, or fails with, a RemoteError when it cannot be sent (§18.4).

        None if it is on its way already, else what fires when it is.
        """
