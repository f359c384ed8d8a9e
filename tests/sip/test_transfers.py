"""Tests for p2pship.sip.transfers: which subscription a NOTIFY is about; whole transfers are in test_within."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip import transfers
from p2pship.sip.dialog import Dialog, Subscription
from p2pship.sip.message import Request, request, response_to
from p2pship.sip.rewrite import Parties
from tests.sip.fakes import FakeHop, FakePeer

ALICE, BOB = "alice@example.com", "bob@example.com"


class Calls:
    """What is told of subscriptions that ended."""

    def __init__(self) -> None:
        self.ended: list[Subscription] = []

    def transfer_ended(self, dialog: Dialog, subscription: Subscription) -> None:
        """Keep it."""
        self.ended.append(subscription)


def call() -> Dialog:
    """Make a call of Alice's with Bob."""
    parties = Parties(f"<sip:{ALICE}>", f"<sip:{BOB}>")
    return Dialog(
        id=None,  # type: ignore[arg-type]  # not looked at
        peer=FakePeer(ALICE, BOB),
        hop=FakeHop(),
        gruu="",
        phone_target="",
        phone_routes=(),
        phone_side=parties,
        link_side=parties,
        phone_called=False,
        started=0.0,
    )


def asked(method: str, number: int, **headers: str) -> Request:
    """Make a request within it."""
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return request(method, f"sip:{BOB}", [("CSeq", f"{number} {method}"), ("To", "<sip:x>;tag=1"), *named])


class SubscriptionTests(SynchronousTestCase):
    """Subscriptions of one dialog."""

    def setUp(self) -> None:
        self.dialog = call()
        self.calls: Any = Calls()

    def refer(self, number: int, by_phone: bool) -> None:
        """Let one side refer the other."""
        transfers.begun(self.dialog, asked("REFER", number), by_phone, 0.0)

    def notify(self, by_phone: bool, status: int = 200, **headers: str) -> list[Subscription]:
        """Let one side tell how it went, for the last time; returns which subscriptions ended."""
        told = asked("NOTIFY", 9, **({"Event": "refer", "Subscription_State": "terminated"} | headers))
        transfers.begun(self.dialog, told, by_phone, 10.0)
        self.calls.ended.clear()
        transfers.answered(self.calls, self.dialog, told, by_phone, response_to(told, status))
        return list(self.calls.ended)

    def test_both_sides_refer(self) -> None:
        """Two REFERs with the same number, one of each side, are two subscriptions; each NOTIFY is about the other side's."""
        self.refer(5, by_phone=True)
        self.refer(5, by_phone=False)
        self.assertEqual(len(self.dialog.transfers), 2)
        self.assertEqual(self.notify(by_phone=False), [(True, 5)])
        self.assertEqual(self.notify(by_phone=True), [(False, 5)])
        self.assertEqual(set(self.dialog.transfers.values()), {10.0 + transfers.LASTS})

    def test_by_number(self) -> None:
        """The ``id`` names the REFER; without one it is the first (RFC 3515 §2.4.6)."""
        for number in (5, 7):
            self.refer(number, by_phone=True)
        self.assertEqual(self.notify(False, Event="refer;id=7"), [(True, 7)])
        self.assertEqual(self.notify(False), [(True, 5)])
        for event in ("refer;id=6", "refer;id=x", "refer;;", "presence", "refer;id=" + "7" * 5000):
            self.assertEqual(self.notify(False, Event=event), [], event)

    def test_goes_on(self) -> None:
        """One that is not the last ends nothing, unless nobody knows of it any more."""
        self.refer(5, by_phone=True)
        self.assertEqual(self.notify(False, Subscription_State="active;expires=60"), [])
        self.assertEqual(self.notify(False, 481, Subscription_State="active"), [(True, 5)])

    def test_refused(self) -> None:
        """A REFER that is refused, or wishes for no subscription, ends its own alone."""
        for status, headers in ((603, {}), (202, {"Refer-Sub": "false"})):
            refer = asked("REFER", 5)
            response = response_to(refer, status)
            for name, value in headers.items():
                response.append(name, value)
            self.calls.ended.clear()
            transfers.answered(self.calls, self.dialog, refer, False, response)
            self.assertEqual(self.calls.ended, [(False, 5)])

    @given(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=40))
    def test_garbage(self, event: str) -> None:
        """Whatever stands in Event, nothing but a subscription that there is comes of it."""
        self.refer(5, by_phone=True)
        self.assertIn(self.notify(False, Event=event), ([], [(True, 5)]))
