"""Tests for :mod:`p2pship.sip.admission`, :mod:`p2pship.sip.settings` and :mod:`p2pship.sip.listeners`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import HostPort
from p2pship.config import load
from p2pship.errors import ConfigError
from p2pship.sip.admission import Admission
from p2pship.sip.hops import hop_to_phone
from p2pship.sip.listeners import Listeners
from p2pship.sip.settings import SIPNetworkSettings, SIPSettings, check_listeners
from tests.sip.fakes import FakeHop, FakeHops

ALICE, BOB = "alice@example.com", "bob@example.com"
SECTIONS: dict[str, type | None] = {"sip": SIPSettings, "sip.network": SIPNetworkSettings}


class AdmissionTests(SynchronousTestCase):
    """Which names may be registered where."""

    def allowed(self, admission: Admission, trusted: bool) -> list[bool]:
        """Tell of a new name, an existing one and an existing one that is listed whether it may be registered."""
        cases = ((BOB, False), (BOB, True), (ALICE, True), (ALICE, False))
        return [admission.refusal(aor, trusted, exists) is None for aor, exists in cases]

    def test_policies(self) -> None:
        """Each word of the configuration, on loopback and elsewhere."""
        for register, names, expected in (
            ("any", (), [True, True, True, True]),
            ("existing", (), [False, True, True, False]),
            ("listed", (ALICE,), [False, False, True, False]),
        ):
            sip = SIPSettings(register=register, names=names)
            self.assertEqual(self.allowed(Admission.of(sip, SIPNetworkSettings()), True), expected)
            if register != "any":
                network = SIPNetworkSettings(listen="192.0.2.1", register=register, names=names)
                self.assertEqual(self.allowed(Admission.of(SIPSettings(), network), False), expected)

    def test_settings(self) -> None:
        """What lets anybody take any name is refused, with the way out; so is a list of nobody."""
        for given, words in (
            (["sip.listen=0.0.0.0"], 'register = "existing"'),
            (["sip.register=everybody"], "one of any, existing, listed"),
            (["sip.register=listed"], "names ="),
            (["sip.network.register=any"], "one of existing, listed"),
            (["sip.network.listen=nowhere"], "nowhere"),
            (["sip.names=Alice"], "Alice"),
        ):
            error = self.assertRaises(ConfigError, load, None, SECTIONS, given)
            self.assertIn(words, str(error))
        good = ["sip.listen=0.0.0.0", "sip.register=existing", 'sip.network.names=["alice@example.com"]']
        self.assertEqual(load(None, SECTIONS, good).get(SIPNetworkSettings).names, (ALICE,))

    def test_one_place(self) -> None:
        """Phones of other machines have one place to register at."""
        check_listeners(SIPSettings(), SIPNetworkSettings(listen="0.0.0.0"))
        everywhere = SIPSettings(listen="0.0.0.0", register="existing")
        check_listeners(everywhere, SIPNetworkSettings())
        self.assertRaises(ConfigError, check_listeners, everywhere, SIPNetworkSettings(listen="192.0.2.1"))


class ListenersTests(SynchronousTestCase):
    """Which way leads to a phone."""

    def test_by_address(self) -> None:
        """What goes to loopback goes by the one listener, all else by the other; without that, by the only one."""
        local, network = FakeHops(), FakeHops()
        both = Listeners(local, network)
        for host, used in (
            ("127.0.0.1", local),
            ("127.8.8.8", local),
            ("::1", local),
            ("192.0.2.9", network),
        ):
            both.hop_for(host, 5060, "UDP")
            self.assertIn(("UDP", host, 5060), used.hops)
        Listeners(local, None).hop_for("192.0.2.9", 5060, "UDP")
        self.assertIn(("UDP", "192.0.2.9", 5060), local.hops)
        network.connected.add(HostPort("192.0.2.9", 7))
        self.assertTrue(both.is_connected(HostPort("192.0.2.9", 7)))
        self.assertFalse(both.is_connected(HostPort("192.0.2.9", 8)))

    def test_where_a_phone_is(self) -> None:
        """A phone of another machine is sent to where it is, at the port of its Contact; never to another address."""
        hops, at = FakeHops(), FakeHop(40000, "UDP", "192.0.2.9")
        for target, host, port in (
            ("sip:x@192.0.2.9:5070", "192.0.2.9", 5070),
            ("sip:x@10.0.0.1:5070", "192.0.2.9", 40000),
            ("sip:x@127.0.0.1", "192.0.2.9", 40000),
            ("sip:x@phone.invalid", "192.0.2.9", 40000),
        ):
            self.assertEqual(hop_to_phone(hops, target, (), at).address, HostPort(host, port), target)
        self.assertEqual(
            hop_to_phone(hops, "sip:x@192.0.2.9", ("<sip:10.0.0.1;lr>",), at).address, at.address
        )
