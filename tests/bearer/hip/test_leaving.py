"""Tests for p2pship.bearer.hip.paths: where the other side is when it has left where we send to (RFC 8046 §5.3, §5.5)."""

from __future__ import annotations

from p2pship.bearer.hip.association import Moved
from p2pship.bearer.hip.locatorset import UNLIMITED, LocatorField
from p2pship.bearer.hip.numbers import LocatorType, ParameterType
from p2pship.bearer.hip.path import Send
from p2pship.bearer.hip.peerlocator import Status
from tests.bearer.hip.hosts import path
from tests.bearer.hip.pathscase import ELSEWHERE, PathsCase, towards


class LeavingTests(PathsCase):
    """Its addresses end, or it names others."""

    def test_behind_router(self) -> None:
        """Who has moved, and names an address that is behind a router, preferred or not, is asked where its packet came from, and found."""
        for preferred in (True, False):
            self.setUp()
            self.ways |= {ELSEWHERE, "192.168.7.7"}
            field = LocatorField(0, LocatorType.SPI_AND_ADDRESS, preferred, UNLIMITED, "192.168.7.7", 256)
            sent = self.said(towards(ELSEWHERE), field)
            self.assertEqual(self.association.path, towards(ELSEWHERE))
            self.assertEqual(self.answered(sent[ELSEWHERE], towards(ELSEWHERE)), [(ELSEWHERE, True)])

    def test_names_nothing(self) -> None:
        """Who says something from elsewhere, and names no address, as behind a router that has forgotten it, is asked there; who only asks is not."""
        self.ways.add(ELSEWHERE)
        sent = self.updated(towards(ELSEWHERE), (ParameterType.ECHO_REQUEST_SIGNED, b"where are you?"))
        self.assertEqual(self.answered(sent[ELSEWHERE], towards(ELSEWHERE)), [])
        sent = self.updated(towards(ELSEWHERE))
        self.assertEqual(self.association.path, path(1))
        self.assertEqual(self.answered(sent[ELSEWHERE], towards(ELSEWHERE)), [(ELSEWHERE, True)])

    def test_preferred_in_the_end(self) -> None:
        """Who speaks from one new address, and prefers another, is found at the one, and at the other as soon as that answers as well."""
        third = "203.0.113.10"
        self.ways |= {ELSEWHERE, third}
        spi = LocatorType.SPI_AND_ADDRESS
        fields = [LocatorField(0, spi, where == third, UNLIMITED, where, 256) for where in (third, ELSEWHERE)]
        sent = self.said(towards(ELSEWHERE), *fields)
        for where in (ELSEWHERE, third):
            self.assertEqual(self.answered(sent[where], towards(where)), [(where, True)])

    def test_preferred_once(self) -> None:
        """What was preferred then has no advantage later, when all are asked as nothing comes: the first that answers is used."""
        third = "203.0.113.10"
        self.ways |= {ELSEWHERE, third}
        spi = LocatorType.SPI_AND_ADDRESS
        fields = [LocatorField(0, spi, where == third, UNLIMITED, where, 256) for where in (third, ELSEWHERE)]
        sent = self.said(towards(third), *fields)
        self.answered(sent[third], towards(third))
        self.association.paths.silent(self.two.now)
        sent = {thing.path.host: thing.octets for thing in self.one.take() if isinstance(thing, Send)}
        self.assertEqual(self.answered(sent[ELSEWHERE], towards(ELSEWHERE)), [(ELSEWHERE, True)])
        self.assertEqual(self.answered(sent[third], towards(third)), [])

    def test_verified_meanwhile(self) -> None:
        """When it has left where we send to, and what it prefers is not verified yet, another address that is verified is used (RFC 8046 §5.5)."""
        third = "203.0.113.10"
        self.ways |= {ELSEWHERE, third}
        self.name(ELSEWHERE)
        for each in self.association.paths.locators():
            each.status = Status.ACTIVE
        self.done()
        spi = LocatorType.SPI_AND_ADDRESS
        fields = [LocatorField(0, spi, where == third, UNLIMITED, where, 256) for where in (third, ELSEWHERE)]
        self.said(towards(third), *fields)
        self.assertEqual(self.association.path, towards(ELSEWHERE))

    def test_verified_speaks(self) -> None:
        """Of several that are verified that is used by which it speaks."""
        third, fourth = "203.0.113.10", "203.0.113.11"
        self.ways |= {ELSEWHERE, third, fourth}
        self.name(ELSEWHERE, third)
        for each in self.association.paths.locators():
            each.status = Status.ACTIVE
        self.done()
        spi = LocatorType.SPI_AND_ADDRESS
        hosts = fourth, ELSEWHERE, third
        fields = [LocatorField(0, spi, where == fourth, UNLIMITED, where, 256) for where in hosts]
        self.said(towards(third), *fields)
        self.assertEqual(self.association.path, towards(third))

    def test_ends(self) -> None:
        """When the locator in use ends, another one is, which is verified; if there is none, it goes on, and time has nothing to do."""
        spi = LocatorType.SPI_AND_ADDRESS
        ending = LocatorField(0, spi, True, 60, path(1).host, 256)
        for others in ([], [LocatorField(0, spi, False, UNLIMITED, ELSEWHERE, 256)]):
            self.setUp()
            self.ways.add(ELSEWHERE)
            self.say(ending, *others)
            self.two.now += 59
            self.one.timer_fired(self.two.now)
            self.assertEqual(self.done()[1], [])
            self.two.now += 1
            self.one.timer_fired(self.two.now)
            things = self.one.take()
            used = [(thing.path.host, thing.verified) for thing in things if isinstance(thing, Moved)]
            self.assertEqual(used, [(field.host, False) for field in others])
            self.assertGreater(self.association.due(), self.two.now)
        (question,) = (thing.octets for thing in things if isinstance(thing, Send))
        self.assertEqual(self.answered(question, towards(ELSEWHERE)), [(ELSEWHERE, True)])

    def test_heard_before_it_ends(self) -> None:
        """That something comes from a locator does not make it last longer than the other side has said."""
        self.ways.add(ELSEWHERE)
        spi = LocatorType.SPI_AND_ADDRESS
        self.say(
            LocatorField(0, spi, True, UNLIMITED, path(1).host, 256),
            LocatorField(0, spi, False, 60, ELSEWHERE, 256),
        )
        self.one.heard_elsewhere(self.association, towards(ELSEWHERE), self.two.now)
        *_, question = (thing.octets for thing in self.one.take() if isinstance(thing, Send))
        self.answered(question, towards(ELSEWHERE))
        self.assertEqual(self.association.path, towards(ELSEWHERE))
        self.two.now += 60
        self.one.timer_fired(self.two.now)
        self.assertEqual(self.association.path, path(1))
