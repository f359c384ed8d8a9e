"""Tests for p2pship.sip.breadth: how many phones one request makes ring."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.sip.breadth import MOST, Breadth, breadth_of, serial
from p2pship.sip.message import BadMessage, request
from tests.sip.fakes import FakePeer
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, BOB = "alice@example.com", "bob@example.com"


class BreadthTests(TestCase):
    """RFC 5393 §5."""

    def test_values(self) -> None:
        """Nothing said means 60, more than that becomes that, none is 440, and nonsense 400."""
        for value, expected in (("60", 60), ("7", 7), ("100000", MOST)):
            self.assertEqual(breadth_of(request("INVITE", "sip:a@b", [("Max-Breadth", value)])), expected)
        self.assertEqual(breadth_of(request("INVITE", "sip:a@b", [])), MOST)
        for value, status in (("0", 440), ("-1", 400), ("x", 400), ("", 400), ("9" * 99, 400)):
            made = request("INVITE", "sip:a@b", [("Max-Breadth", value)])
            self.assertEqual(self.assertRaises(BadMessage, breadth_of, made).status, status, value)

    def test_shares(self) -> None:
        """All shares together are never more than the whole, and what is given back can be taken again."""
        for whole in range(1, 70):
            for parts in range(1, 20):
                breadth = Breadth(whole)
                shares = [breadth.take(parts - at - 1) for at in range(parts)]
                self.assertLessEqual(sum(shares), whole)
                self.assertEqual(min(shares) > 0, parts <= whole)
                for share in shares:
                    breadth.give_back(share)
                self.assertEqual(breadth.take(), max(1, whole // 2))

    def test_serial(self) -> None:
        """What may not be tried side by side is tried one after the other."""
        self.assertEqual(serial([[1, 2, 3], [4]], 2), [[1, 2], [3], [4]])

    def test_crosses_the_node(self) -> None:
        """Phones that ring together share what the request may still do; too many ring after the others."""
        station = Station()
        self.addCleanup(station.stop)
        phones = [station.register(BOB, port) for port in range(5070, 5074)]
        peer = FakePeer(BOB, ALICE)
        station.from_peer(
            peer,
            "INVITE",
            f"sip:{BOB}",
            ALICE,
            BOB,
            LINK_OFFER,
            Contact=f"<sip:{ALICE};gr=c.1>",
            Max_Breadth="3",
        )
        rung = [phone.requests() for phone in phones]
        self.assertEqual([len(each) for each in rung], [1, 1, 1, 0])
        self.assertEqual([each[0].first("Max-Breadth") for each in rung[:3]], ["1", "1", "1"])
        for phone in phones[:3]:
            station.answer(phone.requests()[0], 486, phone)
        self.assertEqual(phones[3].requests()[0].first("Max-Breadth"), "3")

    def test_devices(self) -> None:
        """Each device of a person gets a share, so that its phones may ring together."""
        station = Station()
        self.addCleanup(station.stop)
        phone = station.register(ALICE)
        station.from_phone(
            phone, "INVITE", f"sip:{BOB}", ALICE, BOB, OFFER, Contact="<sip:alice@127.0.0.1:5070>"
        )
        devices = [FakePeer(ALICE, BOB, bytes([number]) * 16) for number in range(7)]
        for device in devices:
            station.overlay.searches[-1].reach(device)
        shares = [int(device.requests()[0].first("Max-Breadth") or "") for device in devices[:6]]
        self.assertEqual(shares, [30, 15, 7, 4, 2, 1])
        self.assertLessEqual(sum(shares), MOST)

    def test_none_left(self) -> None:
        """A request that may branch no more hears 440."""
        station = Station()
        self.addCleanup(station.stop)
        phone = station.register(ALICE)
        station.from_phone(
            phone,
            "INVITE",
            f"sip:{BOB}",
            ALICE,
            BOB,
            OFFER,
            Contact="<sip:alice@127.0.0.1:5070>",
            Max_Breadth="0",
        )
        self.assertEqual(phone.responses()[-1].status, 440)
