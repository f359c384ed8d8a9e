"""Tests for p2pship.bearer.hip.guests, over real sockets on loopback: associations without a link."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.bearer.carried import Carried
from p2pship.bearer.hip.guests import GUEST_TIME, MOST_FROM_ONE_SOURCE
from tests.bearer.fakes import FakeDevice, Recorder, device
from tests.bearer.hip.deskcase import DeskCase


class GuestTests(DeskCase, TestCase):
    """Those who never say hello."""

    async def greeted_by_nobody(self) -> Any:
        """Have an association made whose link the other side's node closes, as no hello comes; return Bob's end."""
        await self.linked()
        await self.until(lambda: self.links)
        [link] = self.links
        link.start(Recorder())
        self.pinger_link().retire()  # as another implementation, which knows nothing of links
        link.close("no hello passed within 5 s")
        await self.until(lambda: link.association in self.pinged._guests, step=0.1)
        return link

    def pinger_link(self) -> Any:
        """Return Alice's link."""
        [link] = self.pinger._links.values()
        return link

    async def test_silent(self) -> None:
        """An association over which nothing has come outlives its link for a minute; then it is closed."""
        link = await self.greeted_by_nobody()
        self.assertEqual(self.pinged.desk.associations()[0]["carries"], "echo")
        self.advance(GUEST_TIME / 2)
        self.assertIn(link.association, self.pinged._guests)
        self.advance(GUEST_TIME / 2 + 1)
        await self.until(lambda: not self.pinged._links)

    async def test_pinged(self) -> None:
        """As long as it pings, a foreign host keeps its association."""
        await self.greeted_by_nobody()
        far = self.pinger_link()
        replies: list[bytes] = []
        far.echoes.listen(b"id", replies.append)
        for number in range(6):
            far.echoes.ask(b"id", number, b"data")
            await self.until(lambda: replies)
            self.assertEqual(replies.pop()[2:], b"data")
            self.advance(GUEST_TIME / 2)
        self.advance(GUEST_TIME)
        await self.until(lambda: not self.pinged._links)

    async def test_nothing_else(self) -> None:
        """A guest that sends what links carry gets no link for it: that is counted, and dropped."""
        link = await self.greeted_by_nobody()
        before = self.journal.counts["hip.unknown"]
        for number in range(3):
            self.pinger_link()._way.put(Carried.MEDIA, b"%d" % number)
            self.pinger_link()._way.put(Carried.SEGMENT, b"%d" % number)
        await self.until(lambda: self.journal.counts["hip.unknown"] >= before + 6)
        self.assertEqual((len(self.links), link.has_spoken), (1, False))

    async def test_our_kind(self) -> None:
        """One over which frames came is closed with its link, as ever."""
        near = await self.linked()
        await self.until(lambda: self.links)
        near.start(Recorder())
        near.cast(b"something")
        await self.until(lambda: self.links[0].has_spoken)
        self.links[0].abort("no hello passed within 5 s")
        self.assertEqual(self.pinged._links, {})

    async def test_dialled_again(self) -> None:
        """A guest is no link: who is dialled gets a new one."""
        link = await self.greeted_by_nobody()
        locators = self.pinger.locators()
        again = await self.done(self.pinged.dial(device("alice").key, locators, device("bob")))
        self.assertIsNot(again, link)
        self.assertNotIn(link.association, self.pinged._links)

    async def test_bounded(self) -> None:
        """Those who come from one place push out the eldest, not each other's memory."""
        owners = [FakeDevice() for _ in range(MOST_FROM_ONE_SOURCE + 2)]
        bearers = [self.bearer(owner) for owner in owners]
        for owner, bearer in zip(owners, bearers, strict=True):
            self.successResultOf(bearer.listen(lambda link: None, lambda: None))
            self.links.clear()
            await self.done(bearer.dial(device("bob").key, self.pinged.locators(), owner))
            await self.until(lambda: self.links)
            next(iter(bearer._links.values())).retire()
            self.links[0].start(Recorder())
            self.links[0].abort("no hello")
        self.assertEqual(len(self.pinged._links), MOST_FROM_ONE_SOURCE)
        await self.until(lambda: not bearers[0]._links)
