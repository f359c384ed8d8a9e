"""How many relays anybody can have."""

from __future__ import annotations

from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.identity.verdict import Acquaintance
from p2pship.interfaces import IPeer
from p2pship.media import quota
from p2pship.media.quota import LEAST, Holder, Quota
from tests.media.loopback import FakePeer

MOST = 32


class QuotaTests(SynchronousTestCase):
    """A few relays, and people who want more."""

    def setUp(self) -> None:
        self.quota = Quota(MOST, MOST)

    def take(self, aor: str, acquaintance: Acquaintance = Acquaintance.CONTACT) -> Holder:
        """Take one with a device of somebody."""
        return self.quota.take(cast(IPeer, FakePeer(aor, acquaintance)))

    def refused(self, aor: str, acquaintance: Acquaintance = Acquaintance.CONTACT) -> str:
        """Be refused, and return why."""
        return str(self.assertRaises(LocalError, self.take, aor, acquaintance))

    def test_one_person(self) -> None:
        """One person has half at the most, with however many devices; what is given back can be had again."""
        holders = [self.take("eve") for _ in range(MOST // 2)]
        self.assertIn("this person", self.refused("eve"))
        self.take("bob")
        self.quota.give_back(holders.pop())
        self.take("eve")
        self.patch(quota, "MOST_OF_PERSON", 1)
        self.assertIn("this person", self.refused("bob"))

    def test_strangers(self) -> None:
        """Strangers, under however many names, leave half to people that one knows."""
        for number in range(MOST // 2):
            self.take(f"eve{number}", Acquaintance.STRANGER)
        self.assertIn("strangers", self.refused("eve", Acquaintance.STRANGER))
        for number in range(MOST // 2):
            self.take(f"friend{number}")
        self.assertIn("ulimit", self.refused("friend"))

    def test_few_ports(self) -> None:
        """Where there are hardly any, one person may have them all."""
        few = Quota(LEAST, LEAST)
        for _ in range(LEAST):
            few.take(cast(IPeer, FakePeer("bob", Acquaintance.STRANGER)))
        self.assertRaises(LocalError, few.take, FakePeer("carol"))

    def test_fewer_ports_than_descriptors(self) -> None:
        """The halves are of what is scarcer."""
        self.quota = Quota(10 * MOST, MOST)
        for _ in range(MOST // 2):
            self.take("eve")
        self.assertIn("this person", self.refused("eve"))

    def test_known_later(self) -> None:
        """Who becomes a contact in the middle of a call gives back what was taken as a stranger."""
        peer = FakePeer("eve", Acquaintance.STRANGER)
        holder = self.quota.take(cast(IPeer, peer))
        peer.verdict = FakePeer().verdict
        self.quota.give_back(holder)
        for number in range(MOST // 2):
            self.take(f"eve{number}", Acquaintance.STRANGER)
