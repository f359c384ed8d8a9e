"""The seams of ``p2pship.bearer``: how octets get to another device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from p2pship.address import Locator
    from p2pship.interfaces.identity import IDevice


class IBearer(Interface):
    """Makes links to other devices."""

    name = Attribute(
        "str: the name, which is also its section ``[bearer.NAME]`` and the first part of its locators"
    )
    encrypted = Attribute("bool: whether nobody else can read what its links carry")
    several = Attribute(
        "bool: whether it can be dialled for, and dial as, devices of ours other than the node's own"
    )

    def locators() -> Sequence[Locator]:
        """Return where this device can be dialled now, most preferred first; loopback addresses come last."""

    def listen(link_made: Callable[[ILink], None], locators_changed: Callable[[], None]) -> Deferred[None]:
        """Accept links; fires when listening.

        ``link_made`` gets each link that another device dialled, with its proof, before any octet of it is delivered.
        """

    def dial(device_key: bytes, locators: Sequence[Locator], own: IDevice) -> Deferred[ILink]:
        """Make a link from our device ``own`` to the one whose Host Identity is ``device_key``, at one of these locators.

        Fails with :class:`~p2pship.errors.NotReached` if none answers and proves that key, or this bearer has no links of
        ``own``; its message says what each one did.
        """

    def stop() -> Deferred[None]:
        """Close the listener and every link that nobody closed, and fire when all is closed."""


Seek: TypeAlias = "Callable[[Sequence[Locator]], None]"
"Tells a link where the other side may be."


class ILinkReceiver(Interface):
    """What a link tells."""

    def frame_received(frame: bytes) -> None:
        """Take a frame that the other side sent with ``send``: in order, none lost, none twice."""

    def datagram_received(datagram: bytes) -> None:
        """Take a datagram that the other side sent with ``cast``."""

    def link_writable() -> None:
        """Hear that ``writable`` is true again."""

    def path_changed(path: str) -> None:
        """Hear that the same link now runs over another path: for people, with both ends where they are known."""

    def link_stalled() -> None:
        """Hear that nothing came for 5 s though it was watched; a later frame or datagram shows that it lives."""

    def link_astray(seek: Seek) -> None:
        """Hear that nothing comes, and that nobody answers wherever the link knows the other side to be: both may have moved.

        Only a link that moves by itself says so. ``seek`` may be called, also several times and later, with where the device is
        found now: the link asks there, and goes on where it is answered.
        """

    def link_lost(reason: str) -> None:
        """Hear that the link is gone: nothing comes after this. Told once, also after ``close``."""


class ILink(Interface):
    """One authenticated connection between two devices."""

    own = Attribute("bytes: our Host Identity on this link (DER SubjectPublicKeyInfo), of one of our devices")
    proof = Attribute(
        "bytes: the Host Identity (DER SubjectPublicKeyInfo) that the other side proved to have"
    )
    encrypted = Attribute("bool: whether nobody else can read what it carries")
    dialled = Attribute("bool: whether this side dialled")
    locator = Attribute("Locator | None: the locator that was dialled; None on the side that listened")
    remote = Attribute("HostPort | None: the other side's address as seen here; None where there is none")
    path = Attribute("str: which way it runs, for people: ``tls 192.0.2.1:5566``")
    writable = Attribute(
        "bool: whether another frame should be sent now; ``send`` works all the same, by queueing"
    )
    largest_datagram = Attribute("int: the most octets that ``cast`` carries in one piece")
    limit = Attribute("int: the most octets of a frame that is taken now; the receiver may change it")

    def start(receiver: ILinkReceiver) -> None:
        """Begin to deliver: nothing is delivered before, what came earlier comes now."""

    def send(frame: bytes) -> None:
        """Send a frame of at most 65,600 octets; harmless when the link is lost."""

    def cast(datagram: bytes) -> None:
        """Send a datagram if there is room for it: a late one is worth nothing, so the oldest waiting is dropped."""

    def watch(closely: bool) -> None:
        """Watch for silence (see ``link_stalled``) while true; the overlay sends pings meanwhile."""

    def close(reason: str) -> None:
        """Close when what was sent has left, at the latest after 2 s; the receiver hears ``link_lost``."""
