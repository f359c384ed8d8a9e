"""Tests for p2pship.sip.registrar and p2pship.sip.bindings."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.address import HostPort
from p2pship.sip import registrar
from p2pship.sip.bindings import LONGEST_EXPIRES, Bindings
from p2pship.sip.message import Response
from tests.sip.fakes import FakeHop
from tests.sip.station import Station

ALICE = "alice@example.com"


class RegistrarTests(TestCase):
    """REGISTER, as RFC 3261 §10.3 wants it answered."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.hop = self.station.phone()

    def register(self, contact: str | None = "<sip:alice@127.0.0.1:5070>", **headers: str) -> Response:
        """Send one REGISTER and return its answer."""
        if contact is not None:
            headers["Contact"] = contact
        self.station.from_phone(
            self.hop, "REGISTER", "sip:example.com", ALICE, headers.pop("aor", ALICE), b"", **headers
        )
        return self.hop.responses()[-1]

    def test_makes_an_identity(self) -> None:
        """The first phone of a name makes its identity, a second does not make another."""
        self.assertEqual(self.register().status, 200)
        self.register("<sip:alice@127.0.0.1:5071>")
        self.assertEqual([each.aor for each in self.station.keyring.identities()], [ALICE])
        self.assertEqual(len(self.station.bindings.of(ALICE)), 2)

    def test_says_what_is_bound(self) -> None:
        """The answer lists every binding with the seconds that it has left, and the phone's own parameters."""
        self.register('<sip:alice@127.0.0.1:5070>;q=0.5;+sip.instance="<urn:uuid:1>"', Expires="100")
        self.station.clock.advance(40)
        answer = self.register(None)
        self.assertEqual(
            answer.lines("Contact"),
            ['<sip:alice@127.0.0.1:5070>;q=0.5;+sip.instance="<urn:uuid:1>";expires=60'],
        )

    def test_contact_expires_wins(self) -> None:
        """The expires of a Contact goes before the Expires header; nothing said means an hour."""
        self.register("<sip:alice@127.0.0.1:5070>;expires=50", Expires="500")
        self.register("<sip:alice@127.0.0.1:5071>")
        now = self.station.clock.seconds()
        self.assertEqual([each.expires - now for each in self.station.bindings.of(ALICE)], [50, 3600])

    def test_removal(self) -> None:
        """expires=0 removes one, and ``*`` all; ``*`` without Expires: 0 is refused."""
        self.register("<sip:alice@127.0.0.1:5070>, <sip:alice@127.0.0.1:5071>")
        self.register("<sip:alice@127.0.0.1:5070>;expires=0")
        self.assertEqual(
            [each.contact for each in self.station.bindings.of(ALICE)], ["sip:alice@127.0.0.1:5071"]
        )
        self.assertEqual(self.register("*").status, 400)
        self.assertEqual(self.register("*", Expires="0").status, 200)
        self.assertEqual(self.station.bindings.of(ALICE), [])

    def test_out_of_order(self) -> None:
        """An older REGISTER of the same Call-ID that comes late changes nothing."""
        self.register(CSeq="20 REGISTER")
        self.assertEqual(self.register(CSeq="19 REGISTER", Expires="0").status, 500)
        self.assertEqual(len(self.station.bindings.of(ALICE)), 1)

    def test_too_brief(self) -> None:
        """An interval that is too brief is 423 with the shortest one."""
        answer = self.register(Expires="3")
        self.assertEqual((answer.status, answer.first("Min-Expires")), (423, "10"))

    def test_expiry(self) -> None:
        """A binding ends when its time is over, and the journal is told."""
        self.register(Expires="30")
        self.station.clock.pump([5.0] * 7)
        self.assertEqual(self.station.bindings.of(ALICE), [])
        self.assertEqual(self.station.journal.counts["PhoneRegistered"], 2)

    def test_own_address(self) -> None:
        """A name at the node's own address gets the configured domain; the answer has the phone's own To."""
        for aor in ("alice@127.0.0.1", "alice@192.0.2.7:5060", "alice@localhost"):
            answer = self.register(aor=aor)
            self.assertEqual(answer.to.uri, f"sip:{aor}")
        self.assertEqual(len(self.station.bindings.of("alice@home.p2pship.alt")), 1)

    def test_refresh_is_no_second_phone(self) -> None:
        """A refresh keeps the binding's token; so does the same instance at another port."""
        instance = '+sip.instance="<urn:uuid:1>"'
        self.register(f"<sip:alice@127.0.0.1:5070>;{instance}")
        before = self.station.bindings.of(ALICE)[0].token
        self.register(f"<sip:alice@127.0.0.1:5072>;{instance}")
        self.assertEqual([each.token for each in self.station.bindings.of(ALICE)], [before])

    def test_not_from_elsewhere(self) -> None:
        """A phone of another machine registers nothing without a proof."""
        self.hop.address, self.hop.trusted = HostPort("192.0.2.9", 5060), False
        self.assertEqual(self.register().status, 401)
        self.assertEqual(self.station.bindings.of(ALICE), [])

    def test_path(self) -> None:
        """Path is kept and shown in the answer (RFC 3327 §5.3)."""
        answer = self.register(Path="<sip:127.0.0.1:5099;lr>")
        self.assertEqual(answer.lines("Path"), ["<sip:127.0.0.1:5099;lr>"])
        self.assertEqual(self.station.bindings.of(ALICE)[0].path, ("<sip:127.0.0.1:5099;lr>",))

    def test_unknown_extension(self) -> None:
        """What a REGISTER requires and is not known here is 420, and named (§10.3 item 2)."""
        answer = self.register(Require="path, gruu")
        self.assertEqual((answer.status, answer.first("Unsupported")), (420, "gruu"))
        self.assertEqual(self.register(Require="path").status, 200)

    def test_survives_a_restart(self) -> None:
        """Bindings are there again in the next run, the expired ones are not."""
        self.register("<sip:alice@127.0.0.1:5070>;q=0.5;x", Expires="30", Path="<sip:127.0.0.1:5099;lr>")
        self.register("<sip:alice@127.0.0.1:5071>", Expires="20")
        self.station.clock.advance(25)
        again = Bindings(self.station.clock, self.station.database)
        again.load()
        self.assertEqual(again.of(ALICE), self.station.bindings.of(ALICE))
        self.assertEqual(len(again.of(ALICE)), 1)

    def test_kept_with_a_wrong_clock(self) -> None:
        """A computer without a clock of its own, which hears the time after its start, does not keep a phone that is gone for years."""
        self.register(Expires="30")
        self.station.bindings.close()
        self.station.clock.advance(-1e9)
        again = Bindings(self.station.clock, self.station.database)
        again.load()
        self.station.clock.advance(1e9)
        self.assertEqual(len(again.of(ALICE)), 1)
        for _ in range(LONGEST_EXPIRES // 50 + 1):
            self.station.clock.advance(50)
            again.expired()
        self.assertEqual(again.of(ALICE), [])

    def test_leaps(self) -> None:
        """While the machine sleeps, or its clock is set on or back, no binding ages: its phone knows nothing of it."""
        for leap in (7200, -86_400, 1e9):
            self.register(Expires="100")
            self.station.clock.advance(40)
            self.register(None)
            self.station.clock.advance(leap)
            self.assertEqual(len(self.station.bindings.of(ALICE)), 1)
            self.station.clock.pump([50, 5])
            self.assertEqual(len(self.station.bindings.of(ALICE)), 1)
            self.station.clock.pump([5, 1])
            self.assertEqual(self.station.bindings.of(ALICE), [])

    def test_too_many_phones(self) -> None:
        """The number of phones of a name is bounded: the latest ones stay, as a phone that restarts leaves old ones."""
        for number in range(registrar.MOST_BINDINGS + 2):
            self.assertEqual(self.register(f"<sip:alice@127.0.0.1:{6000 + number}>").status, 200)
        contacts = [binding.contact for binding in self.station.bindings.of(ALICE)]
        self.assertEqual(len(contacts), registrar.MOST_BINDINGS)
        self.assertEqual(
            (contacts[0], contacts[-1]), ("sip:alice@127.0.0.1:6002", "sip:alice@127.0.0.1:6017")
        )

    def test_too_many_names(self) -> None:
        """The number of names is bounded, and those that are there are not disturbed."""
        self.patch(registrar, "MOST_NAMES", 2)
        self.register()
        self.register(aor="bob@example.com")
        self.assertEqual(self.register(aor="carol@example.com").status, 403)
        self.assertEqual(self.register().status, 200)

    def test_back_when_full(self) -> None:
        """Who was registered before may come back, however many there are."""
        self.patch(registrar, "MOST_NAMES", 1)
        self.register()
        self.station.clock.advance(registrar.DEFAULT_EXPIRES + 10)
        self.assertEqual(self.register(aor="bob@example.com").status, 403)
        self.assertEqual(self.register().status, 200)

    def test_bad_requests(self) -> None:
        """What cannot be read is 400 and changes nothing."""
        for contact in ("<sip:alice@127.0.0.1:99999>", "<sip:a@b>, <sip:a@b>", "<"):
            self.assertEqual(self.register(contact).status, 400, contact)
        self.assertEqual(self.register(aor="example.com").status, 400)
        self.assertEqual(self.station.keyring.identities(), [])

    def test_only_over_tls(self) -> None:
        """A phone that may be called over TLS only is told what to do instead, as no call would ever reach it."""
        answer = self.register("<sips:alice@127.0.0.1:5061>")
        self.assertEqual(answer.status, 403)
        self.assertIn("no TLS", answer.first("Warning") or "")
        self.assertEqual(self.register("<sip:alice@127.0.0.1:5061;transport=tls>").status, 200)


class TransportTests(TestCase):
    """What a phone registered over."""

    def test_tcp_is_kept(self) -> None:
        """The INVITE for a phone that registered over TCP goes over TCP."""
        station = Station()
        self.addCleanup(station.stop)
        hop: FakeHop = station.phone(5070, "TCP")
        station.from_phone(
            hop, "REGISTER", "sip:example.com", ALICE, ALICE, Contact="<sip:alice@127.0.0.1:5070>"
        )
        self.assertEqual(station.bindings.of(ALICE)[0].transport, "TCP")
