"""Tests for :mod:`p2pship.sip.callername`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.sip.callername import LONGEST_DISPLAY, LONGEST_GIVEN, show_sender, shown_sender
from p2pship.sip.message import Request, request
from p2pship.sip.uri import NameAddr
from tests.sip.fakes import FakePeer

BOB = "bob@example.com"
CONTACT = Verdict(NameGrade.KNOWN, Acquaintance.CONTACT, display="Uncle Bob")
LIKE = Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER, warnings=("looks like bob@exarnple.com",))


class CallerNameTests(SynchronousTestCase):
    """The name under which our phone sees a caller."""

    def shown(self, sender: str, verdict: Verdict | None = None) -> str:
        """Return a From as our phone sees it."""
        peer = FakePeer("alice@example.com", BOB)
        peer.verdict = verdict or peer.verdict
        return str(shown_sender(NameAddr.parse(sender), peer))

    def test_stranger(self) -> None:
        """A name that anybody can make up ends with the AOR; without a name there is nothing to make up."""
        self.assertEqual(self.shown(f'"The Bank" <sip:{BOB}>'), f'"The Bank {BOB}" <sip:{BOB}>')
        self.assertEqual(self.shown(f"<sip:{BOB}>"), f"<sip:{BOB}>")

    def test_spoofed(self) -> None:
        """A name that is made to be taken for another person's shows the AOR all the same: not far behind, not turned round."""
        for given, shown in (
            (f"Uncle Bob{' ' * 300}", f"Uncle Bob {BOB}"),
            ("Uncle Bob" + "\u3000" * 300, f"Uncle Bob {BOB}"),
            ("x" * 500, f"{'x' * LONGEST_GIVEN} {BOB}"),
            ("bank@example.net", BOB),
            (f"bank\uff20example.net {BOB}", BOB),
            (f"Bank {BOB}", f"Bank {BOB}"),
            ("\u202eknaB", f"?knaB {BOB}"),
            ("Bank\u200b\u2066", f"Bank?? {BOB}"),
            (BOB, BOB),
        ):
            self.assertEqual(self.shown(f'"{given}" <sip:{BOB}>'), f'"{shown}" <sip:{BOB}>')

    def test_anonymous_with_a_name(self) -> None:
        """Who shows no address shows no name either, which might be a contact's."""
        shown = self.shown('"Uncle Bob" <sip:anonymous@anonymous.invalid>;tag=1')
        self.assertEqual(shown, '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1')

    def test_own_entry(self) -> None:
        """A contact has the name that the user gave, whatever they call themselves."""
        for sender in (f'"The Bank" <sip:{BOB}>;tag=1', f"<sip:{BOB}>;tag=1"):
            self.assertEqual(self.shown(sender, CONTACT), f'"Uncle Bob" <sip:{BOB}>;tag=1')

    def test_entry_of_somebody_else(self) -> None:
        """An entry counts only for who is known to be the contact, and not for a stranger under the contact's name."""
        stranger = Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER, display="Uncle Bob")
        self.assertEqual(self.shown(f'"Bob" <sip:{BOB}>', stranger), f'"Bob {BOB}" <sip:{BOB}>')

    def test_look_alike(self) -> None:
        """A name that is easily taken for another says so, first, and however long it is."""
        warning = "looks like bob@exarnple.com"
        self.assertEqual(self.shown(f"<sip:{BOB}>", LIKE), f'"{warning}: {BOB}" <sip:{BOB}>')
        shown = NameAddr.parse(self.shown(f'"{"x" * 500}" <sip:{BOB}>', LIKE)).display
        self.assertTrue(shown.startswith(warning))
        self.assertLessEqual(len(shown), LONGEST_DISPLAY)

    def test_anonymous(self) -> None:
        """Who does not show their name is shown as they wish."""
        sender = '"Anonymous" <sip:anonymous@anonymous.invalid>'
        self.assertEqual(self.shown(sender, CONTACT), sender)

    def test_asserted(self) -> None:
        """What the node asserts has the same name, as phones believe it more than From; not where privacy was asked for."""
        for privacy, asserted in (("none", [f'"Uncle Bob" <sip:{BOB}>']), ("id", [])):
            sent: Request = request("INVITE", "sip:x", [("From", f"<sip:{BOB}>;tag=1"), ("Privacy", privacy)])
            peer = FakePeer("alice@example.com", BOB)
            peer.verdict = CONTACT
            show_sender(sent, peer)
            self.assertEqual(sent.lines("P-Asserted-Identity"), asserted)
            self.assertEqual(sent.from_.display, "Uncle Bob")
