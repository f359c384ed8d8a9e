"""Tests for p2pship.lookup.collected."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.identity.papers import Papers, Record, Statement
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import IFinder, IFinding, IFindReceiver
from p2pship.lookup.candidate import Answer, Asked, FindOutcome, Found
from p2pship.lookup.collected import collect, find_status

OUTCOME = FindOutcome((), 2)


@implementer(IFinder, IFinding)
class FakeFinder:
    """A finder with one search, which the test carries on."""

    def __init__(self) -> None:
        self.receiver: Any = None
        self.cancelled = False
        self.forgotten: list[bytes] = []

    def find(self, aor: str, own: Any, receiver: IFindReceiver) -> IFinding:
        self.receiver = receiver
        search: IFinding = self
        return search

    def forget(self, aor: str, device_key: bytes) -> None:
        self.forgotten.append(device_key)

    def so_far(self) -> FindOutcome:
        return OUTCOME

    def cancel(self) -> None:
        self.cancelled = True


def found(device_key: bytes, port: int = 5566) -> Found:
    """Return a device that was found."""
    statement = Statement("bob@example.com", b"k", 1, 0, 1, (), (), (), b"", b"", (), b"")
    locators = (Locator("tls", "127.0.0.1", port),)
    record = Record(b"", 1, 1, 0, 1, device_key, b"", locators, (), b"")
    verdict = Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER)
    return Found(Papers(statement, record, bytes(16)), locators, verdict, "lan")


class CollectTests(SynchronousTestCase):
    """A whole search as one Deferred."""

    def setUp(self) -> None:
        self.finder = FakeFinder()
        own: Any = object()
        self.done = collect(self.finder.find, "bob@example.com", own)

    def test_everything(self) -> None:
        """Every device comes once, as it was told last, when the search has ended."""
        first, second = found(b"1"), found(b"2")
        again = found(b"1", 5567)
        for each in (first, second, again):
            self.finder.receiver.device_found(each)
        self.assertNoResult(self.done)
        self.finder.receiver.find_ended(OUTCOME)
        self.assertEqual(self.successResultOf(self.done), ([again, second], OUTCOME))

    def test_cancel(self) -> None:
        """Cancelling ends the search."""
        self.done.cancel()
        self.failureResultOf(self.done, CancelledError)
        self.assertTrue(self.finder.cancelled)


class StatusTests(SynchronousTestCase):
    """How a search is described."""

    def test_found(self) -> None:
        """Each device is told with where it was found and how true its name is, and each lookup with its answer."""
        asked = (Asked("lan", Answer.COMPLETED, 0.5), Asked("dns", Answer.FAILED, 0.1, "no network"))
        told = find_status(([found(b"1")], FindOutcome(asked, 1)), "bob@example.com")
        (device,) = told["devices"]
        self.assertEqual((device["locators"], device["lookup"]), (["tls:127.0.0.1:5566"], "lan"))
        self.assertEqual((device["name_grade"], device["hit"]), ("unproven", "::"))
        answers = [(each["lookup"], each["answer"], each["reason"]) for each in told["asked"]]
        self.assertEqual(answers, [("lan", "completed", ""), ("dns", "failed", "no network")])
        self.assertEqual((told["aor"], told["reason"]), ("bob@example.com", ""))

    def test_not_believed(self) -> None:
        """The reason says what is in dispute, and what was refused."""
        outcome = FindOutcome((), 0, True, ("lan: it is not sealed for this name",))
        told = find_status(([], outcome), "bob@example.com")
        self.assertIn("several keys claim this name and none is proven", told["reason"])
        self.assertIn(
            "p2pship find bob@example.com --trace shows each); lan: it is not sealed", told["reason"]
        )

    def test_changed(self) -> None:
        """Where only people with another key than the known one were found, it is said how to decide."""
        outcome = FindOutcome((), 0, False, ("lan: the key is another",), changed=True)
        told = find_status(([], outcome), "bob@example.com")
        self.assertIn("lan: the key is another; ask them", told["reason"])
        self.assertIn("p2pship contact pin bob@example.com", told["reason"])
