"""Several phones and devices of one person: the first who answers a call ends it elsewhere, a message is for all."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.trust.wish import Wish
from tests.sip.fakes import FakeHop, FakePeer
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, BOB = "alice@example.com", "bob@example.com"
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
KEY = b"identity key of bob@example.com"


class EverybodyCase(SynchronousTestCase):
    """A node of alice, and two devices of bob."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.devices = [FakePeer(ALICE, BOB, bytes([at]) * 16) for at in (1, 2)]

    def send(self, phone: FakeHop, method: str, **headers: str) -> None:
        """Let alice's phone ask for bob."""
        body = OFFER if method == "INVITE" else b""
        contact = {"Contact": "<sip:alice@127.0.0.1:5070>"} if method == "INVITE" else {}
        self.station.from_phone(phone, method, f"sip:{BOB}", ALICE, BOB, body, **contact, **headers)

    def receive(self, method: str, **headers: str) -> None:
        """Let bob's first device ask for alice."""
        body = LINK_OFFER if method == "INVITE" else b""
        contact = {"Contact": "<sip:bob@example.com;gr=1>"} if method == "INVITE" else {}
        self.station.from_peer(
            self.devices[0], method, f"sip:{ALICE}", BOB, ALICE, body, **contact, **headers
        )

    def phones(self, *preferences: str) -> list[FakeHop]:
        """Register phones of alice with these q-values."""
        ports = range(5070, 5070 + 2 * len(preferences), 2)
        return [
            self.station.register(ALICE, port, f"<sip:alice@127.0.0.1:{port}>;q={q}")
            for port, q in zip(ports, preferences, strict=True)
        ]


class CallTests(EverybodyCase):
    """INVITE."""

    def test_devices(self) -> None:
        """All devices ring; those that did not answer are told that another did (RFC 3326)."""
        phone = self.station.register(ALICE)
        self.send(phone, "INVITE")
        for device in self.devices:
            self.station.overlay.searches[0].reach(device)
            self.station.answer(device.requests()[0], 180, device, tag=device.hit.hex())
        self.station.answer(self.devices[1].requests()[0], 200, self.devices[1], LINK_OFFER, tag="x")
        cancelled = self.devices[0].requests()[-1]
        self.assertEqual((cancelled.method, cancelled.lines("Reason")), ("CANCEL", [ELSEWHERE]))
        self.assertEqual([each.method for each in self.devices[1].requests()], ["INVITE"])

    def test_phones(self) -> None:
        """So are phones, also by who declines for all, with that status."""
        for status, reason in ((200, ELSEWHERE), (603, 'SIP;cause=603;text="Decline"')):
            self.setUp()
            one, other = self.phones("1.0", "1.0")
            self.receive("INVITE")
            for phone in (one, other):
                self.station.answer(phone.requests()[0], 180, phone, tag=f"{phone.key}".encode().hex())
            self.station.answer(one.requests()[0], status, one, OFFER if status == 200 else b"", tag="x")
            cancelled = other.requests()[-1]
            self.assertEqual((cancelled.method, cancelled.lines("Reason")), ("CANCEL", [reason]))

    def test_reason_passes(self) -> None:
        """The Reason of a peer's CANCEL reaches the phones: no missed call is shown."""
        (phone,) = self.phones("1.0")
        self.receive("INVITE", CSeq="7 INVITE")
        self.station.answer(phone.requests()[0], 180, phone)
        invite = next(iter(self.station.proxy._under_way)).request
        headers = [("Via", str(invite.via)), ("CSeq", "7 CANCEL"), ("Reason", ELSEWHERE)]
        cancel = self.station.make("CANCEL", invite.uri, BOB, ALICE, headers)
        self.station.proxy.message_from_peer(self.devices[0], cancel)
        self.assertEqual(phone.requests()[-1].method, "CANCEL")
        self.assertEqual(phone.requests()[-1].lines("Reason"), [ELSEWHERE])


class MessageTests(EverybodyCase):
    """MESSAGE."""

    def test_devices(self) -> None:
        """Each device gets it, also one that is reached after another has taken it; the first 2xx is the answer."""
        phone = self.station.register(ALICE)
        self.send(phone, "MESSAGE")
        search = self.station.overlay.searches[0]
        search.reach(self.devices[0])
        self.station.answer(self.devices[0].requests()[0], 200, self.devices[0])
        self.assertEqual([each.status for each in phone.responses()[1:]], [200])
        self.assertFalse(search.cancelled)
        search.reach(self.devices[1])
        search.end()
        self.assertEqual([each.method for each in self.devices[1].requests()], ["MESSAGE"])
        self.station.answer(self.devices[1].requests()[0], 200, self.devices[1])
        self.assertEqual([each.status for each in phone.responses()[1:]], [200])
        self.station.clock.pump([1.0] * 40)
        counts = self.station.proxy.layer.counts
        self.assertEqual((counts.clients, counts.servers, self.station.proxy.pending), (0, 0, 0))

    def test_phones(self) -> None:
        """Every phone gets it at once, whatever its q-value; what one answers ends nothing for the others."""
        for first in (200, 603):
            self.setUp()
            phones = self.phones("1.0", "0.5", "0.1")
            self.receive("MESSAGE")
            self.assertEqual(
                [[each.method for each in phone.requests()] for phone in phones], [["MESSAGE"]] * 3
            )
            for phone, status in zip(phones, (first, 486, 200), strict=True):
                self.station.answer(phone.requests()[0], status, phone)
            self.assertEqual([each.status for each in self.devices[0].responses()], [200])
            self.assertEqual(self.station.screening.asked, [(ALICE, BOB, Wish.MESSAGE)])

    def test_all_refuse(self) -> None:
        """Only when everybody has refused it is refused."""
        phones = self.phones("1.0", "0.5")
        self.receive("MESSAGE")
        self.station.answer(phones[0].requests()[0], 603, phones[0])
        self.assertEqual(self.devices[0].responses(), [])
        self.station.answer(phones[1].requests()[0], 486, phones[1])
        self.assertEqual([each.status for each in self.devices[0].responses()], [603])

    def test_narrow(self) -> None:
        """With breadth for one branch at a time (RFC 5393) all get it, one after the other."""
        phones = self.phones("1.0", "1.0", "1.0")
        self.receive("MESSAGE", Max_Breadth="1")
        for phone in phones:
            self.assertEqual(len(phone.requests()), 1)
            self.station.answer(phone.requests()[0], 200, phone)
        self.assertEqual([each.status for each in self.devices[0].responses()], [200])


class AcquaintanceTests(EverybodyCase):
    """Whom the trust policy hears about."""

    def call(self, **headers: str) -> list[tuple[str, str, bytes, bool]]:
        """Let alice call bob, who answers; returns what was told."""
        phone = self.station.register(ALICE)
        self.send(phone, "INVITE", **headers)
        self.station.overlay.searches[-1].reach(self.devices[0])
        self.assertEqual(self.station.acquaintances.answered, [])
        self.station.answer(self.devices[0].requests()[-1], 200, self.devices[0], LINK_OFFER)
        self.station.answer(self.devices[0].requests()[-1], 200, self.devices[0], LINK_OFFER)
        return self.station.acquaintances.answered

    def test_placed(self) -> None:
        """A call that our user placed is told once, with the key that was talked to."""
        self.assertEqual(self.call(), [(ALICE, BOB, KEY, True)])

    def test_not_chosen(self) -> None:
        """Whom somebody else has referred our user to, they have not chosen."""
        self.assertEqual(self.call(Referred_By="<sip:carol@example.com>"), [(ALICE, BOB, KEY, False)])

    def test_forwarded(self) -> None:
        """Nor have they chosen whom a redirection names: it must not make a name known."""
        phone = self.station.register(ALICE)
        self.send(phone, "INVITE")
        first = FakePeer(ALICE, BOB)
        self.station.overlay.searches[0].reach(first)
        self.station.overlay.searches[0].end()
        self.station.answer(first.requests()[0], 302, first, Contact="<sip:mallory@example.org>")
        other = FakePeer(ALICE, "mallory@example.org")
        self.station.overlay.searches[1].reach(other)
        self.station.answer(other.requests()[0], 200, other, LINK_OFFER)
        self.assertEqual(
            [each[1:2] + each[3:] for each in self.station.acquaintances.answered],
            [("mallory@example.org", False)],
        )

    def test_taken(self) -> None:
        """A call that our phone took was not placed; one that nobody takes is not told."""
        (phone,) = self.phones("1.0")
        self.receive("INVITE")
        self.station.answer(phone.requests()[0], 180, phone)
        self.assertEqual(self.station.acquaintances.answered, [])
        self.station.answer(phone.requests()[0], 200, phone, OFFER)
        self.assertEqual(self.station.acquaintances.answered, [(ALICE, BOB, KEY, False)])
