"""An association whose other side names addresses."""

from __future__ import annotations

import os

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.association import Moved
from p2pship.bearer.hip.locatorset import LocatorField, encode_locators
from p2pship.bearer.hip.numbers import ParameterType
from p2pship.bearer.hip.packet import parse
from p2pship.bearer.hip.path import Path, Send
from p2pship.bearer.hip.updates import Contents
from tests.bearer.hip.hosts import TwoHosts, host, identity, path

ELSEWHERE = "203.0.113.9"
"Somebody who has nothing to do with it."


def towards(where: str, port: int = 10500) -> Path:
    """Return our path to an address."""
    return path(1)._replace(address=(where, port), host=where, port=port)


def moved(where: str) -> Path:
    """Return our path to an address from another one of ours."""
    return towards(where)._replace(carrier="another socket", own_host="192.0.2.7")


class PathsCase(TestCase):
    """An association, and what its other side says of where it is."""

    def setUp(self) -> None:
        one, other = (host(identity("P-256", name), os.urandom) for name in ("one", "other"))
        self.two = TwoHosts(one, other)
        self.one, self.other = self.two.hosts
        self.two.dial()
        self.two.talk()
        self.association, self.its = self.two.associations()
        for each in (self.association, self.its):
            each.paths.confides = True
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

    def say(self, *fields: LocatorField) -> None:
        """Have the other side send a LOCATOR_SET."""
        contents = (ParameterType.LOCATOR_SET, encode_locators(fields))
        self.its.updates.request([contents], (path(0),), self.two.now, lambda *_: None, lambda: None)
        for octets in self.two.work(1):
            self.two.deliver(0, octets)

    def said(self, by: Path, *fields: LocatorField) -> dict[str, bytes]:
        """Have the other side send a LOCATOR_SET from elsewhere; return what is sent because of that, by whither, and the last one if several go to one place."""
        return self.updated(by, (ParameterType.LOCATOR_SET, encode_locators(fields)))

    def updated(self, by: Path, *contents: Contents) -> dict[str, bytes]:
        """The same with any UPDATE."""
        self.its.updates.request(contents, (path(0),), self.two.now, lambda *_: None, lambda: None)
        for octets in self.two.work(1):
            self.one.received(parse(octets), by, self.two.now)
        return {thing.path.host: thing.octets for thing in self.one.take() if isinstance(thing, Send)}

    def answered(self, question: bytes, by: Path) -> list[tuple[str, bool]]:
        """Have the other side get a question and answer by a path; return which addresses are used then."""
        self.two.deliver(1, question)
        for answer in self.two.work(1):
            self.one.received(parse(answer), by, self.two.now)
        return self.done()[1]
