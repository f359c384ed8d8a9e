"""Tests for p2pship.bearer.hip.paths: what is believed of where the other side is (RFC 8046 §5)."""

from __future__ import annotations

import os

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.association import Moved
from p2pship.bearer.hip.packet import parse
from p2pship.bearer.hip.path import Path, Send
from tests.bearer.hip.hosts import TwoHosts, host, identity, path

ELSEWHERE = "203.0.113.9"
"Somebody who has nothing to do with it."


def towards(where: str, port: int = 10500) -> Path:
    """Return our path to an address."""
    return path(1)._replace(address=(where, port), host=where, port=port)


class PathsTests(TestCase):
    """An association, and what its other side says of where it is."""

    def setUp(self) -> None:
        one, other = (host(identity("P-256", name), os.urandom) for name in ("one", "other"))
        self.two = TwoHosts(one, other)
        self.one, self.other = self.two.hosts
        self.two.dial()
        self.two.talk()
        self.association, self.its = self.two.associations()
        self.ways = {path(1).host}
        self.association.paths._reach = self.reach

    def reach(self, where: str, port: int) -> list[Path]:
        """Return the path to an address, if it is one of ``ways``."""
        return [towards(where, port)] if where in self.ways else []

    def done(self) -> tuple[list[Path], list[tuple[str, bool]]]:
        """Return where packets were sent to, and which addresses are used, and whether these are verified."""
        things = self.one.take()
        sent = [thing.path for thing in things if isinstance(thing, Send)]
        return sent, [(thing.path.host, thing.verified) for thing in things if isinstance(thing, Moved)]

    def name(self, *hosts: str) -> None:
        """Have the other side say that it has these addresses beside the one that is in use."""
        self.other.announce(self.its, [path(1).host, *hosts], self.two.now)
        self.two.talk()

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

    def test_not_listened_on(self) -> None:
        """A path from an address of ours that we dial from, and do not listen on, is used as long as it is there."""
        self.name(ELSEWHERE)
        self.ways.add(ELSEWHERE)
        self.one.own_changed(["192.0.2.7"], self.two.now)
        self.assertEqual(self.done()[1], [])

    def test_clock_set_back(self) -> None:
        """When the clock is set back, the other side is followed as before."""
        self.ways.add(ELSEWHERE)
        self.one.heard_elsewhere(self.association, towards(ELSEWHERE), self.two.now)
        self.assertEqual(self.done()[0], [towards(ELSEWHERE)])
        while self.association.paths._probes:
            self.two.now += 1
            self.one.timer_fired(self.two.now)
        self.done()
        self.two.now -= 3600
        self.one.heard_elsewhere(self.association, towards(ELSEWHERE), self.two.now)
        self.assertEqual(self.done()[0], [towards(ELSEWHERE)])
