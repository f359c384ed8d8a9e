"""Tests of hellos that were overheard and are said again, by whomever: each is refused and counted, and disturbs nobody."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from p2pship.interfaces import ILink, ILinkReceiver
from p2pship.journal import LinkRefused
from p2pship.overlay.wire import Parcel, parse
from p2pship.testing.bearer import MemoryLink
from tests.node.calling import ALICE
from tests.node.stranger import MALLORY, StrangerCase


class HelloTests(StrangerCase):
    """Hellos that were overheard, and those of others."""

    async def _overheard(self, node: str, aor: str) -> bytes:
        """Set all up, and return the hello that somebody's node has sent to Bob's."""
        frames: list[tuple[MemoryLink, bytes]] = []
        self._overhear(frames)
        await self.set_up()
        sender: Any = self.node(node).keyring.identity(aor)
        statement, bob = sender.statement, self.node("bob").keyring.device.key
        return next(frame for link, frame in frames if statement in frame and link.proof == bob)

    def _overhear(self, frames: list[tuple[MemoryLink, bytes]]) -> None:
        """Keep every frame that is sent from now on."""
        send = MemoryLink.send

        def overheard(link: MemoryLink, frame: bytes) -> None:
            frames.append((link, frame))
            send(link, frame)

        self.patch(MemoryLink, "send", overheard)

    async def _dial_bob(self) -> Thief:
        """Return a link from Mallory's device to Bob's, of which Mallory's node knows nothing."""
        thief = Thief()
        bearer = self.nodes.bearers["mallory"]
        mallory, bob = (self.node(name).keyring.device for name in ("mallory", "bob"))
        link = await bearer.dial(bob.key, self.nodes.bearers["bob"].locators(), mallory)
        link.start(thief)
        thief.link = link
        return thief

    async def test_on_another_link(self) -> None:
        """Alice's hello, word for word, is worth nothing on Mallory's link."""
        hello = await self._overheard("alice", ALICE)
        peers = len(self.node("bob").overlay.peers())
        refused = self.counts("bob").get("LinkRefused", 0)
        thief = await self._dial_bob()
        thief.link.send(hello)
        await self.eventually(thief.has_heard)
        self.assertEqual(self.counts("bob")["LinkRefused"], refused + 1)
        self.assertIn("another device", self.told("bob", LinkRefused)[-1].reason)
        self.assertEqual(len(self.node("bob").overlay.peers()), peers)
        await self.undisturbed()

    async def test_again_on_its_own_link(self) -> None:
        """The same octets again, over the very link that they came over, open no second peer and disturb nobody else."""
        hello = await self._overheard("mallory", MALLORY)
        peers = len(self.node("bob").overlay.peers())
        device = self.node("bob").keyring.device.key
        (link,) = [each for each in self.nodes._links_of("mallory") if each.proof == device]
        refused = self.counts("bob").get("LinkRefused", 0)
        link.send(hello)
        await self.eventually(lambda: link not in self.nodes.links.links)
        self.assertEqual(self.counts("bob")["LinkRefused"], refused + 1)
        self.assertIn("broke a rule", self.told("bob", LinkRefused)[-1].reason)
        await self.undisturbed()
        self.assertLessEqual(len(self.node("bob").overlay.peers()), peers)

    async def test_frames_without_a_hello(self) -> None:
        """Frames of an established peer, sent over a link on which nobody has said hello, are not heard."""
        await self.set_up()
        frames: list[tuple[MemoryLink, bytes]] = []
        self._overhear(frames)
        await self.call.send_info("0")
        self.heard = len(self.bob.received)
        infos = [frame for _, frame in frames if b"INFO sip:" in frame]
        self.assertTrue(infos)
        refused = self.counts("bob").get("LinkRefused", 0)
        for frame in infos:
            thief = await self._dial_bob()
            thief.link.send(frame)
            await self.eventually(thief.has_heard)
        self.assertEqual(self.counts("bob")["LinkRefused"], refused + len(infos))
        await self.undisturbed()


@implementer(ILinkReceiver)
class Thief:
    """The receiver of a link in Mallory's hands."""

    link: ILink

    def __init__(self) -> None:
        self.got: list[Parcel] = []
        self.lost: list[str] = []

    def has_heard(self) -> bool:
        """Tell whether anything came of what was sent."""
        return bool(self.got or self.lost)

    def frame_received(self, frame: bytes) -> None:
        """Keep it."""
        self.got.append(parse(frame))

    def datagram_received(self, datagram: bytes) -> None:
        """Take no notice."""

    def link_writable(self) -> None:
        """Take no notice."""

    def path_changed(self, path: str) -> None:
        """Take no notice."""

    def link_stalled(self) -> None:
        """Take no notice."""

    def link_astray(self, seek: Any) -> None:
        """Take no notice."""

    def link_lost(self, reason: str) -> None:
        """Keep why."""
        self.lost.append(reason)
