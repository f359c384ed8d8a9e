"""The seams of ``p2pship.overlay``: one authenticated pipe for each peer, and what rides on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

from p2pship.interfaces.lookup import ISearch

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IProtocol

    from p2pship.interfaces.identity import IIdentity
    from p2pship.overlay.reach import ReachOutcome, Tried


class IReaching(ISearch):
    """The reaching of a person under way."""

    def so_far() -> ReachOutcome:
        """Return what would be told now if it ended; what has not ended yet is told as such."""


class ISubprotocol(Interface):
    """What rides on a peer: SIP, media, presence, HTTP and others."""

    name = Attribute("str: the name that both sides know it by, lower-case ASCII, at most 32 characters")

    def payload_received(peer: IPeer, payload: bytes) -> bytes | Deferred[bytes] | None:
        """Take a payload; what is returned (None: empty) is the answer in its acknowledgement.

        An exception, raised or in the Deferred, refuses the payload.
        """

    def handed_over(peer: IPeer, thing: object, octets: int) -> None:
        """Take what would else come as a payload of so many octets: the sender is this very node (see ``IPeer.hand_over``).

        It is served in a later turn of the reactor. Raises :class:`~p2pship.errors.PayloadRefused` if it is not taken.
        """

    def stream_opened(peer: IPeer, stream: IStream) -> IProtocol | None:
        """Give the protocol that serves a stream which the other side opened; None refuses it."""

    def peer_lost(peer: IPeer, reason: str) -> None:
        """Hear that everything under way with the peer has ended: it was restarted, refused us, or closed for good."""


class IStream(Interface):
    """A byte stream within a peer, with its own flow control; also an ITransport, an IConsumer and an IPushProducer."""

    peer = Attribute("IPeer: whose stream it is")
    header = Attribute("bytes: what the opener said it is for, at most 4,096 octets")


class IPeer(Interface):
    """Another person's device, as one of our own identities sees it. It outlives its links."""

    aor = Attribute("str: the other person's canonical AOR")
    identity = Attribute("IIdentity: our own identity")
    device_key = Attribute("bytes: the other device's Host Identity, a DER SubjectPublicKeyInfo")
    hit = Attribute("bytes: the other device's HIT, 16 octets")
    own_hit = Attribute("bytes: the HIT of our device that this peer talks to, 16 octets")
    verdict = Attribute("Verdict: how true the name is, what acquaintance the person is")
    papers = Attribute("Papers | None: those of the last hello; None before the first")
    encrypted = Attribute("bool: whether the link in use is; False when there is none")
    path = Attribute("str: the path of the link in use; empty when there is none")
    lost_since = Attribute(
        "float | None: since when nothing reaches it (Unix time); None while it is reachable"
    )
    since = Attribute("float: since when it has its link, or was without one (Unix time)")
    watched = Attribute("bool: whether a call is up")

    def send(subprotocol: str, payload: bytes) -> Deferred[bytes]:
        """Send a payload of at most 65,536 octets; fires with the answer when the other side has taken it.

        Waits while the link is re-dialled. Fails with :class:`~p2pship.errors.PayloadRefused` or
        :class:`~p2pship.errors.PeerLost`, and that with :class:`~p2pship.errors.PeerRestarted` if it is the same person's node anew.
        """

    def hand_over(subprotocol: str, thing: object, octets: int) -> bool:
        """Where the other side is this very node, give its subprotocol a thing itself in place of a payload of so many octets.

        True if it was taken; False, always of other devices, if it has to be sent, as while a payload is on its way that
        it must not overtake. Raises :class:`~p2pship.errors.PayloadRefused`.
        """

    def open_stream(subprotocol: str, header: bytes, protocol: IProtocol) -> Deferred[IStream]:
        """Open a stream and connect ``protocol`` to it; fails with :class:`~p2pship.errors.PayloadRefused`."""

    def open_flow(receiver: Callable[[int, bytes], None]) -> int:
        """Allocate a flow number, even, 2 to 65534, and deliver its packets and those of the next (odd) number.

        :raises LocalError: if all are in use.
        """

    def close_flow(flow: int) -> None:
        """Give a flow number back; harmless when it is not in use."""

    def cast(flow: int, packet: bytes) -> None:
        """Send a media packet to a flow number that the other side allocated; best effort."""

    def watch(closely: bool) -> None:
        """Count one more (True) or one fewer (False) call that is up with this peer: its link is then watched."""

    def close(reason: str) -> None:
        """End it: everything under way fails, and the other side is told."""


class IPeopleReceiver(Interface):
    """What reaching a person tells."""

    def peer_reached(peer: IPeer, tried: Tried) -> None:
        """Take one device of the person, with which a hello has passed, and how long each stage took."""

    def reach_ended(outcome: ReachOutcome) -> None:
        """Hear that no more devices come, and what was tried."""


class IOverlay(Interface):
    """One authenticated pipe for each peer."""

    def people(aor: str, identity: IIdentity, receiver: IPeopleReceiver) -> IReaching:
        """Find and reach every device of a canonical AOR on behalf of an own identity, within 5 s in all."""

    def peer(aor: str, identity: IIdentity, hit: bytes) -> Deferred[IPeer]:
        """Reach one device by its HIT; fails with :class:`~p2pship.errors.NotReached`."""

    def peers() -> Sequence[IPeer]:
        """Return the peers with which a hello has passed; the path of one without a link is empty."""

    def offer(subprotocol: ISubprotocol) -> None:
        """Take part with a subprotocol: it is named in every hello, and served."""
