"""Tests for p2pship.bearer.hip.paths: what is believed of where the other side is (RFC 8046 §5)."""

from __future__ import annotations

import os
from types import ModuleType

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip import initiator, responder
from p2pship.bearer.hip.association import Moved
from p2pship.bearer.hip.locatorset import UNLIMITED, LocatorField, encode_locators
from p2pship.bearer.hip.numbers import LocatorType, ParameterType
from p2pship.bearer.hip.packet import Builder, parse
from p2pship.bearer.hip.path import Send
from p2pship.bearer.hip.paths import MOST_PROBED
from p2pship.bearer.hip.peerlocator import ASKED_TIME, MOST_ASKED, Status
from p2pship.bearer.hip.peerlocators import MOST_KNOWN
from p2pship.bearer.hip.questions import MOST_OUTSTANDING
from tests.bearer.hip.hosts import TwoHosts, host, identity, path
from tests.bearer.hip.pathscase import ELSEWHERE, PathsCase, moved, towards


class Naming(Builder):
    """Makes packets that have a LOCATOR_SET."""

    after = 0
    "the type of what stands before it"
    locators = b""

    def add(self, type_: int, contents: bytes) -> Builder:
        super().add(type_, contents)
        return super().add(ParameterType.LOCATOR_SET, self.locators) if type_ == self.after else self


class ExchangeTests(TestCase):
    """A base exchange in which somebody says where they are beside where they seem to be (RFC 8047 §4.2.8)."""

    def meet(self, which: ModuleType, locators: bytes) -> list[tuple[int, str, bool]]:
        """Let two make an association, with such locators in what a module makes; returns who moved, and whether to where it was verified."""
        after = ParameterType.R1_COUNTER if which is initiator else ParameterType.ESP_INFO
        patched = self.patch(
            which, "Builder", type("Named", (Naming,), {"after": after, "locators": locators})
        )
        one, other = (host(identity("P-256", name), os.urandom) for name in ("one", "other"))
        for number, each in enumerate((one, other)):
            each._reach = lambda where, port, number=number: [  # type: ignore[misc]
                path(1 - number)._replace(address=(where, port), host=where, port=port)
            ]
        self.two = TwoHosts(one, other)
        self.two.dial()
        self.two.talk()
        patched.restore()
        self.assertTrue(all(each.stands for each in self.two.associations()))
        moved = [(number, thing) for number, thing in self.two.done if isinstance(thing, Moved)]
        return [(number, thing.path.host, thing.verified) for number, thing in moved]

    def test_preferred(self) -> None:
        """A preferred locator in an I2 or R2 is verified, and used then."""
        field = LocatorField(0, LocatorType.SPI_AND_ADDRESS, True, UNLIMITED, ELSEWHERE, 256)
        for number, which in ((1, initiator), (0, responder)):
            self.assertEqual(self.meet(which, encode_locators([field])), [(number, ELSEWHERE, True)])

    def test_others(self) -> None:
        """Others are known, and asked when they are needed."""
        field = LocatorField(0, LocatorType.ADDRESS, False, UNLIMITED, ELSEWHERE)
        self.assertEqual(self.meet(responder, encode_locators([field])), [])
        known = self.two.associations()[0].paths.locators()
        self.assertEqual([(each.host, each.status) for each in known][1:], [(ELSEWHERE, Status.UNVERIFIED)])

    def test_useless(self) -> None:
        """Attack: what cannot be read, or is no host's address, changes nothing."""
        local = LocatorField(0, LocatorType.ADDRESS, True, UNLIMITED, "127.0.0.1")
        for locators in (b"cut", encode_locators([local])):
            for which in (initiator, responder):
                self.assertEqual(self.meet(which, locators), [])
                self.assertEqual([len(each.paths.locators()) for each in self.two.associations()], [1, 1])


class PathsTests(PathsCase):
    """An association, and what its other side says of where it is."""

    def test_answer_from_elsewhere(self) -> None:
        """Who acknowledges our addresses from another one is asked there first: it may be somebody else's."""
        self.ways.add(ELSEWHERE)
        self.one.announce(self.association, [path(1).own_host, "192.0.2.7"], self.two.now)
        (told,) = self.two.work(0)
        self.two.deliver(1, told)
        (answer,) = self.two.work(1)
        self.one.received(parse(answer), towards(ELSEWHERE), self.two.now)
        self.assertEqual(self.done(), ([towards(ELSEWHERE)], []))
        self.assertEqual(self.association.path, path(1))

    def test_only_unverified_left(self) -> None:
        """If no verified address can be reached any more, another one is used within the credit only, until it has answered."""
        self.name(ELSEWHERE)
        self.ways = {ELSEWHERE}
        self.one.own_changed(["192.0.2.7"], self.two.now)
        things = self.one.take()
        self.assertEqual(
            [(each.path.host, each.verified) for each in things if isinstance(each, Moved)],
            [(ELSEWHERE, False)],
        )
        sent = [each for each in things if isinstance(each, Send)]
        self.assertEqual([each.path.host for each in sent], [ELSEWHERE, ELSEWHERE])
        for each in sent:
            self.two.deliver(1, each.octets)
        for answer in self.two.work(1):
            self.one.received(parse(answer), towards(ELSEWHERE), self.two.now)
        self.assertEqual(self.done()[1], [(ELSEWHERE, True)])

    def test_same_place_first(self) -> None:
        """When our address has gone, it goes on to where the other side is now, not to where it was before; a stranger hears of it there too."""
        self.ways = {path(1).host, ELSEWHERE}
        self.name(ELSEWHERE)
        for each in self.association.paths.locators():
            each.status = Status.ACTIVE
        self.association.paths._use(towards(ELSEWHERE))
        self.done()
        self.association.paths.confides = False
        self.association.paths._reach = lambda where, port: [moved(where)] if where in self.ways else []
        self.one.own_changed(["192.0.2.7", "192.0.2.8"], self.two.now)
        sent, used = self.done()
        self.assertEqual(used, [(ELSEWHERE, True)])
        self.assertEqual(sent, [moved(ELSEWHERE), moved(path(1).host)])

    def test_heard_late(self) -> None:
        """A question because our addresses were acknowledged from elsewhere is asked at that time, not at that when they were said."""
        self.ways.add(ELSEWHERE)
        self.one.own_changed([path(1).own_host, "192.0.2.7"], self.two.now)
        (said,) = self.two.work(0)
        self.two.deliver(1, said)
        (answer,) = self.two.work(1)
        self.two.now += 1
        self.one.received(parse(answer), towards(ELSEWHERE), self.two.now)
        self.assertEqual(self.done()[0], [towards(ELSEWHERE)])
        updates = self.association.updates
        self.assertEqual(updates.due(), self.two.now + 2 * updates.round_trip)

    def test_keys_while_moving(self) -> None:
        """New keys that were asked for just before the path was left are asked for along the new one: without that the association ends."""
        self.one.rekey(self.association, self.two.now)
        self.assertEqual(self.done()[0], [path(1)])
        self.association.paths._use(moved(path(1).host))
        self.two.now = self.association.updates.due()
        self.one.timer_fired(self.two.now)
        self.assertIn(moved(path(1).host), self.done()[0])

    def test_not_listened_on(self) -> None:
        """A path from an address of ours that we dial from, and do not listen on, is used as long as it is there."""
        self.name(ELSEWHERE)
        self.ways.add(ELSEWHERE)
        self.one.own_changed(["192.0.2.7"], self.two.now)
        self.assertEqual(self.done()[1], [])

    def known(self) -> list[str]:
        return [each.host for each in self.association.paths.locators()]

    def test_preferred(self) -> None:
        """A locator that the other side prefers is asked, and used once it has answered; one that it only has is neither."""
        self.ways.add(ELSEWHERE)
        spi = LocatorType.SPI_AND_ADDRESS
        for preferred, asked in ((False, path(1)), (True, towards(ELSEWHERE))):
            self.say(
                LocatorField(0, spi, not preferred, UNLIMITED, path(1).host, 256),
                LocatorField(0, spi, preferred, UNLIMITED, ELSEWHERE, 256),
            )
            *_, send = (thing for thing in self.one.take() if isinstance(thing, Send))
            self.assertEqual((send.path, self.association.path), (asked, path(1)))
        self.two.deliver(1, send.octets)
        for answer in self.two.work(1):
            self.one.received(parse(answer), towards(ELSEWHERE), self.two.now)
        self.assertEqual(self.done()[1], [(ELSEWHERE, True)])

    def test_several_preferred(self) -> None:
        """Of several that it prefers, perhaps one of each version of IP, the one that it speaks from is taken, or one that can be reached."""
        fields = [
            LocatorField(0, LocatorType.SPI_AND_ADDRESS, True, UNLIMITED, where, 256)
            for where in ("2001:db8::1", ELSEWHERE, path(1).host)
        ]
        self.say(*fields[:2])
        self.assertEqual(self.done()[0], [path(1)])
        self.ways |= {ELSEWHERE, "2001:db8::1"}
        self.say(*fields)
        self.assertEqual((self.done()[0], self.association.path), ([path(1)], path(1)))
        self.ways.discard("2001:db8::1")
        self.say(*fields[:2])
        self.assertEqual(self.done()[0], [path(1), towards(ELSEWHERE)])

    def test_named_twice(self) -> None:
        """Attack: what names a third party, perhaps as if from there, is sent again: who sends it does not get the nonce that went there."""
        self.ways.add(ELSEWHERE)
        for by in (path(1), towards(ELSEWHERE)):
            field = LocatorField(0, LocatorType.SPI_AND_ADDRESS, True, UNLIMITED, ELSEWHERE, 256)
            contents = (ParameterType.LOCATOR_SET, encode_locators([field]))
            self.its.updates.request([contents], (path(0),), self.two.now, lambda *_: None, lambda: None)
            (named,) = self.two.work(1)
            self.one.received(parse(named), by, self.two.now)
            self.assertEqual(set(self.done()[0]), {by, towards(ELSEWHERE)})
            self.two.deliver(0, named)
            (again,) = self.two.work(0)
            self.two.deliver(1, again)
            self.assertEqual((self.its.updates.waiting, self.two.work(1)), (0, []))

    def test_unusable(self) -> None:
        """Attack: it names what is no host's address, means something only here, or is at no port or of another protocol: nothing is learnt."""
        self.association.paths._reach = lambda where, port: [towards(where, port)]
        spi = LocatorType.SPI_AND_ADDRESS
        for where in ("0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "240.1.2.3", "ff02::1", "ff0e::1",
                      "127.0.0.1", "::1", "fe80::1", "febf::1"):  # fmt: skip
            self.say(LocatorField(0, spi, True, UNLIMITED, where, 256))
        at = LocatorField(0, LocatorType.TRANSPORT_ADDRESS, True, UNLIMITED, ELSEWHERE, 256, 9, 17)
        for field in (
            at._replace(port=0),
            at._replace(protocol=6),
            at._replace(protocol=0),
            at._replace(lifetime=0),
        ):
            self.say(field)
        self.assertEqual(self.known(), [path(1).host])
        self.assertNotIn(ELSEWHERE, [each.host for each in self.done()[0]])
        self.say(at)
        self.assertEqual(self.known(), [path(1).host, ELSEWHERE])

    def test_copied(self) -> None:
        """Attack: who copies packets sends them on from ever new addresses: what the other side has named is not forgotten for it, and is asked."""
        self.ways.add(ELSEWHERE)
        self.name(ELSEWHERE)
        for number in range(3 * MOST_KNOWN):
            self.one.heard_elsewhere(self.association, towards(f"198.51.100.{number}"), self.two.now)
        self.assertEqual(self.known()[:2], [path(1).host, ELSEWHERE])
        self.assertLessEqual(len(self.known()), MOST_KNOWN)
        self.done()
        self.say(LocatorField(0, LocatorType.SPI_AND_ADDRESS, True, UNLIMITED, ELSEWHERE, 256))
        self.assertEqual(self.done()[0], [path(1), towards(ELSEWHERE)])

    def test_asked_too_often(self) -> None:
        """However much the other side has sent, one place where it was never seen is not asked for ever; after a while it is again."""
        self.ways.add(ELSEWHERE)
        self.name(ELSEWHERE)
        self.association.credit.earn(1_000_000_000)
        self.assertLessEqual(self.asked(ASKED_TIME - 1), MOST_ASKED)
        self.assertGreater(self.asked(ASKED_TIME), 0)

    def asked(self, seconds: float) -> int:
        """Return how often the other place is asked while nothing comes."""
        until, asked = self.two.now + seconds, 0
        while self.two.now < until:
            self.two.now += 0.5
            self.association.paths.silent(self.two.now)
            self.association.updates.timer_fired(self.two.now)
            asked += self.done()[0].count(towards(ELSEWHERE))
        return asked

    def test_many_ways(self) -> None:
        """However many ways there are, few are asked at once, and no more than some wait for an answer: the first gives way to others."""
        self.association.paths._reach = lambda where, port: [towards(where), moved(where)]
        self.association.credit.earn(1_000_000_000)
        self.association.paths.add(
            [(f"198.51.100.{each}", 10500) for each in range(MOST_KNOWN)], self.two.now
        )
        asked = set(self.done()[0])
        for _ in range(MOST_KNOWN):
            self.association.paths.silent(self.two.now)
            sent = self.done()[0]
            self.assertLessEqual(len(sent), MOST_PROBED)
            self.assertLessEqual(self.association.updates.waiting, MOST_OUTSTANDING)
            asked.update(sent)
        self.assertGreater(len(asked), MOST_OUTSTANDING)

    def test_leaves_when_set_back(self) -> None:
        """A path that was confirmed just before the clock was set back is left as any other, also by the Initiator."""
        self.ways.add(ELSEWHERE)
        self.one.silent(self.association, self.two.now)
        self.two.talk()
        self.one.heard_elsewhere(self.association, towards(ELSEWHERE), self.two.now)
        self.assertEqual(self.done()[0], [])
        self.two.now -= 3600
        self.one.heard_elsewhere(self.association, towards(ELSEWHERE), self.two.now)
        self.assertEqual(self.done()[0], [towards(ELSEWHERE)])

    def test_clock_set_back(self) -> None:
        """When the clock is set back, the other side is followed as before."""
        self.ways.add(ELSEWHERE)
        self.one.heard_elsewhere(self.association, towards(ELSEWHERE), self.two.now)
        self.assertEqual(self.done()[0], [towards(ELSEWHERE)])
        while self.association.paths._questions:
            self.two.now += 1
            self.one.timer_fired(self.two.now)
        self.done()
        self.two.now -= 3600
        self.one.heard_elsewhere(self.association, towards(ELSEWHERE), self.two.now)
        self.assertEqual(self.done()[0], [towards(ELSEWHERE)])
