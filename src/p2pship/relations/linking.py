"""The subprotocol "link": makes a new node another device of somebody's identity, by a code from one of their devices.

Theory of operation. The old device opens a *window* and shows a code and a QR code. The new one makes itself a name that
proves itself, only to say hello with, finds the person and tries each of their devices that answers, or the one device that
the QR code names. Both prove the code to each other (see :mod:`p2pship.relations.pake`), bound to the keys of both devices, so that
nobody between them can put in a device of their own. Then the old one signs a statement that lists the new one, and
seals statement, certificates and, only if its owner has said so, the identity key for it. The hello name is removed.

While a window is open, strangers' hellos for that identity are let in, whatever the screening says of strangers: the new
device is one; and it is published for everybody, whatever its mode of location privacy. When it closes, those who are not to be here otherwise leave, as soon as the last answer has had time to pass.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from p2pship.errors import LocalError, RemoteError
from p2pship.identity.papers import ListedDevice
from p2pship.identity.statement import host_identity_hash
from p2pship.interfaces import IIdentity, IKeyring, IOverlay, IPeer, ISubprotocol
from p2pship.journal import Journal
from p2pship.lookup.rendezvous import Rendezvous
from p2pship.relations.codes import Invitation, Purpose
from p2pship.relations.devicenames import name_device
from p2pship.relations.joining import NAME, Joining, Linked, NotLinked
from p2pship.relations.linkfacts import DeviceLinked, LinkingEnded, LinkingOpened
from p2pship.relations.linkwire import NewDevice, Welcome
from p2pship.relations.openings import Openings
from p2pship.relations.pake import context
from p2pship.relations.pakewire import Refusal, read_message, write_message
from p2pship.relations.payloadsonly import PayloadsOnly
from p2pship.relations.window import Ending
from p2pship.trust.ledger import Ledger

LAST_WORDS = 2.0
"Seconds from the end of a window until strangers leave: the new device takes what it gets, and leaves by itself."


@dataclass(frozen=True, slots=True)
class LinkWindow:
    """What the old device shows."""

    aor: str
    code: str
    "nine digits in groups of three"
    uri: str
    "what the QR code says"
    until: float
    "when they are good for nothing any more; Unix time"
    owner: bool
    "whether the new device gets the identity key, too"


@implementer(ISubprotocol)
class Linking(PayloadsOnly):
    """Opens windows for new devices, and makes this node a new device of somebody."""

    name = NAME

    def __init__(
        self,
        reactor: IReactorTime,
        keyring: IKeyring,
        overlay: IOverlay,
        journal: Journal,
        random: Callable[[int], bytes],
        ledger: Ledger,
        open_doors: set[str],
        judge_again: Callable[[str, str], None],
        mode_of: Callable[[str], str],
        rendezvous: Rendezvous,
    ) -> None:
        """``open_doors`` has the AORs that strangers may say hello to; it is changed here.

        ``judge_again`` ends, with an own AOR and "", the peers of that which may not be here. ``mode_of`` returns the mode of
        location privacy of an own AOR; ``rendezvous`` lets it be found while a window is open.
        """
        self._reactor = reactor
        self._keyring = keyring
        self._journal = journal
        self._ledger = ledger
        self._doors = open_doors
        self._judge_again = judge_again
        self._mode_of = mode_of
        self._rendezvous = rendezvous
        self._leaving: set[IDelayedCall] = set()
        self._openings = Openings(reactor, random, self._ended)
        self._joining = Joining(keyring, overlay, journal, random, ledger)
        self.join = self._joining.join
        "makes this node a new device of somebody: see :meth:`Joining.join`"
        self._waiting: dict[str, list[Deferred[Linked]]] = {}
        self._made: dict[str, Linked] = {}

    def start(self) -> None:
        """Begin: what a linking left behind during which the node was killed is removed."""
        self._joining.start()

    # the old device

    def open(self, aor: str, owner: bool = False) -> LinkWindow:
        """Open a window for a new device of our identity ``aor``; one that was open for it is closed.

        :raises LocalError: if the identity is not ours, or this device cannot sign statements for it.
        """
        device = self._owned(aor).device
        window = self._openings.open(aor, lambda peer, _, said: self._serve(peer, aor, owner, said))
        self._doors.add(aor)
        self._rendezvous.show(aor)
        self._made.pop(aor, None)
        self._journal.tell(LinkingOpened(aor, owner))
        invitation = Invitation(Purpose.LINK, aor, device.hit, window.scanned)
        return LinkWindow(aor, str(window.code), invitation.uri, window.until, owner)

    def close(self, aor: str) -> bool:
        """Close the window for our identity ``aor``; False if none is open."""
        return self._openings.close(aor)

    def wait(self, aor: str) -> Deferred[Linked]:
        """Fire when a device was linked by the window that is open; fails with a RemoteError when it closes without.

        Cancelled, it closes the window if nobody else waits: who shows the code has gone away.

        :raises LocalError: if none is open.
        """
        if not self._openings.is_open(aor):
            raise LocalError(f"no window is open for a new device of {aor}")
        done: Deferred[Linked] = Deferred(lambda _: self._given_up(aor, done))
        self._waiting.setdefault(aor, []).append(done)
        return done

    def _given_up(self, aor: str, done: Deferred[Linked]) -> None:
        waiting = self._waiting.get(aor, [])
        waiting.remove(done)
        if not waiting:
            self.close(aor)

    def stop(self) -> None:
        """Close every window."""
        self._openings.close_all()
        for leaving in self._leaving:
            leaving.cancel()
        self._leaving.clear()

    def _owned(self, aor: str) -> IIdentity:
        identity = self._keyring.identity(aor)
        if identity is None:
            raise LocalError(f"{aor} is not an identity of this node")
        if not identity.owner:
            raise LocalError(
                f"this device does not hold the identity key of {aor}, so it cannot list others: "
                "open the window on the device where the identity was made, or on one linked with --owner"
            )
        return identity

    def _serve(self, peer: IPeer, aor: str, owner: bool, said: bytes) -> bytes:
        """List a device that has proven the code, and return what it gets."""
        try:
            device = NewDevice.read(said)
            bundle = self._taken_in(aor, peer, device, owner)
        except (LocalError, RemoteError) as error:
            self._journal.tell(LinkingEnded(aor, str(error)))
            raise
        linked = Linked(aor, peer.hit, owner, device.name)
        self._made[aor] = linked
        self._journal.tell(DeviceLinked(aor, device.name, owner))
        return bundle

    def _taken_in(self, aor: str, peer: IPeer, device: NewDevice, owner: bool) -> bytes:
        key = self._keyring.private_key(aor) if owner else b""
        digest = host_identity_hash(peer.device_key)
        name_device(self._ledger, aor, digest, peer.hit, device.name)
        self._keyring.add_device(aor, ListedDevice(digest, device.publication_key))
        identity = self._owned(aor)
        mode = self._mode_of(aor)
        return Welcome(identity.statement, identity.chain, identity.revocations, key, mode).encode()

    def _ended(self, key: Hashable, ending: Ending) -> None:
        """Shut the door, and tell who waits."""
        aor = str(key)
        self._doors.discard(aor)
        self._rendezvous.hide(aor)
        self._let_leave(aor)
        linked = self._made.pop(aor, None)
        if linked is None and ending is not Ending.REFUSED:
            self._journal.tell(LinkingEnded(aor, _ENDED[ending]))
        for done in self._waiting.pop(aor, []):
            if linked is not None:
                done.callback(linked)
            else:
                done.errback(NotLinked(_ENDED[ending]))

    def _let_leave(self, aor: str) -> None:
        """Have those who came by the open door, and would not be let in now, leave in a moment."""

        def leave() -> None:
            self._leaving.discard(leaving)
            self._judge_again(aor, "")

        leaving: IDelayedCall = self._reactor.callLater(LAST_WORDS, leave)
        self._leaving.add(leaving)

    # ISubprotocol

    def payload_received(self, peer: IPeer, payload: bytes) -> bytes:
        """Take a message of a new device.

        :raises RemoteError: if it is not of its form.
        """
        aor = str(peer.identity.aor)
        ending = self._openings.ending(aor)
        if ending is not None:  # before what may be long and nobody has asked for is read
            return write_message(Refusal(ending))
        about = context(Purpose.LINK.value, aor, peer.aor)
        return write_message(self._openings.take(aor, peer, about, read_message(payload)))

    def peer_lost(self, peer: IPeer, reason: str) -> None:
        """Forget what was under way."""
        self._openings.forget(peer)


_ENDED = {
    Ending.CLOSED: "the window was closed",
    Ending.EXPIRED: "nobody came within ten minutes: `p2pship device link` opens a new window",
    Ending.TRIED: "a wrong code was tried three times, so the code is good for nothing any more: "
    "`p2pship device link` makes a new one",
    Ending.REFUSED: "the new device could not be listed, and the log says why; one that was revoked or left once needs new keys: "
    "link it with --separate-device",
    Ending.USED: "the device is linked",
}
