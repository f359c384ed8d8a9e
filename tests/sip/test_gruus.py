"""Tests for p2pship.sip.gruus: whose device a GRUU names."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import TestCase

from p2pship.sip.gruus import GRUUs
from p2pship.sip.message import request
from p2pship.sip.references import References
from p2pship.sip.rewrite import gruu_device
from tests.sip.fakes import HIT, FakeDevice
from tests.sip.station import Station

ALICE, WORK = "alice@example.com", "alice@work.example"
OTHER_HIT = bytes(range(100, 116))


class OtherDevice(FakeDevice):
    """The device of one identity alone."""

    hit = OTHER_HIT


class GRUUsTests(TestCase):
    """A node with an identity that has a device of its own, and another."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        for aor in (ALICE, WORK):
            self.station.register(aor)
        keyring = self.station.keyring
        keyring._identities[WORK] = replace(keyring.create(WORK), device=OtherDevice())
        self.gruus = GRUUs(keyring)

    def test_device(self) -> None:
        """Each names the device that its own identity is used on, and no other."""
        for aor, hit, other in ((ALICE, HIT, OTHER_HIT), (WORK, OTHER_HIT, HIT)):
            (binding,) = self.station.bindings.of(aor)
            uri = self.gruus.of(binding)
            self.assertEqual((gruu_device(uri), uri.partition(";")[0]), (hit, f"sip:{aor}"))
            self.assertNotIn(other.hex(), uri)
            self.assertTrue(uri.endswith(self.gruus.token(binding)))

    def test_no_longer_ours(self) -> None:
        """One of an identity that is no longer here leads nowhere."""
        (binding,) = self.station.bindings.of(WORK)
        del self.station.keyring._identities[WORK]
        self.assertEqual(gruu_device(self.gruus.of(binding)), bytes(16))

    def test_referred_to(self) -> None:
        """A phone that is named by its address is shown by the GRUU of who names it, also if it has two registered."""
        references = References(self.station.names, self.station.bindings, self.gruus)
        (binding,) = self.station.bindings.of(WORK)
        made = request("REFER", "sip:bob@example.com", [("Refer-To", f"<{binding.contact}>")])
        references.show_request(made, WORK)
        shown = made.values("Refer-To")[0].strip("<>")
        self.assertEqual(gruu_device(shown), OTHER_HIT)
