"""Tests for p2pship.sip.dialog: how many dialogs anybody may have."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.sip import dialog
from p2pship.sip.dialog import Dialog, DialogID, DialogRefused, DialogTable
from p2pship.sip.rewrite import Parties
from tests.sip.fakes import FakeHop, FakePeer

ALICE = "alice@example.com"
PARTIES = Parties("", "")


class BoundTests(TestCase):
    """One person, or all strangers, want every dialog that there is."""

    def setUp(self) -> None:
        self.table = DialogTable()
        self.made = 0
        for name, most in (("MAX_DIALOGS", 12), ("MOST_OF_PERSON", 3), ("MOST_OF_STRANGERS", 6)):
            self.patch(dialog, name, most)

    def peer(self, aor: str, acquaintance: Acquaintance = Acquaintance.STRANGER) -> FakePeer:
        """Return a device of somebody."""
        peer = FakePeer(ALICE, aor)
        peer.verdict = Verdict(NameGrade.UNPROVEN, acquaintance)
        return peer

    def fill(self, *peers: FakePeer) -> list[Dialog]:
        """Let each of them in turn make dialogs until all of them are refused; returns those that were made."""
        made: list[Dialog] = []
        for peer in peers:
            while (another := self.add(peer)) is not None:
                made.append(another)
        return made

    def add(self, peer: FakePeer) -> Dialog | None:
        """Make a dialog with a peer, if there is room for it."""
        self.made += 1
        new = Dialog(
            id=DialogID(f"call-{self.made}", "a", "b"),
            peer=peer,
            hop=FakeHop(),
            gruu="",
            phone_target="",
            phone_routes=(),
            phone_side=PARTIES,
            link_side=PARTIES,
            phone_called=True,
            started=0.0,
        )
        try:
            self.table.add(new)
        except DialogRefused:
            return None
        return new

    def test_one_person(self) -> None:
        """All devices of one person share a part, and have it again when their dialogs end."""
        known = Acquaintance.CONTACT
        made = self.fill(self.peer("eve@example.com", known), self.peer("eve@example.com", known))
        self.assertEqual(len(made), 3)
        for each in made:
            self.table.remove(each)
            self.table.remove(each)
        self.assertEqual(len(self.fill(self.peer("eve@example.com", known))), 3)

    def test_strangers(self) -> None:
        """Strangers, however many names they have, leave half of the room to people whom one knows."""
        strangers = [self.peer(f"eve{number}@example.com") for number in range(9)]
        made = self.fill(*strangers)
        self.assertEqual(len(made), 6)
        friends = [self.peer(f"bob{number}@example.com", Acquaintance.CONTACT) for number in range(9)]
        self.assertEqual(len(self.fill(*friends)), 6)
        self.table.remove(made[0])
        self.assertEqual(len(self.fill(strangers[8])), 1)

    def test_copied(self) -> None:
        """The name of another's dialog is refused, and counts for nobody."""
        first = self.add(self.peer("bob@example.com"))
        assert first is not None
        self.made -= 1
        self.assertIsNone(self.add(self.peer("eve@example.com")))
        self.assertEqual(len(self.fill(self.peer("eve@example.com"))), 3)
