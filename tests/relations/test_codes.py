"""Codes that people read aloud, and invitations that cameras read."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import RemoteError
from p2pship.relations.codes import (
    LONGEST_INVITATION,
    BadCode,
    BadInvitation,
    Invitation,
    Means,
    Purpose,
    Secret,
)
from tests.scale import SEED

HIT = bytes(range(16))
SCANNED = Secret(Means.SCANNED, bytes(range(16, 32)))
LINK = Invitation(Purpose.LINK, "alice@example.com", HIT, SCANNED)
PAIR = Invitation(Purpose.PAIR, "alice@example.com", HIT, SCANNED, "bob%20b@example.org")


class CodeTests(SynchronousTestCase):
    """Nine digits, of which the last shows mistakes."""

    def test_shown_and_typed(self) -> None:
        """What is shown is read again, however people type what stands between the digits."""
        code = Secret.new_code(random.Random(SEED).randbytes)
        for typed in (
            str(code),
            str(code).replace("-", ""),
            f" {code} ".replace("-", " . "),
            str(code).replace("-", "–"),
        ):
            self.assertEqual(Secret.typed(typed), code)
        self.assertRegex(str(code), r"^\d{3}-\d{3}-\d{3}$")

    def test_every_slip_shows(self) -> None:
        """Each single wrong digit, and each pair of neighbours that was swapped, is found before it costs a try."""
        digits = str(Secret.new_code(random.Random(SEED).randbytes)).replace("-", "")
        slips = {
            digits[:at] + other + digits[at + 1 :]
            for at in range(9)
            for other in "0123456789"
            if other != digits[at]
        }
        slips |= {digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :] for at in range(8)} - {digits}
        for slip in slips:
            self.assertRaises(BadCode, Secret.typed, slip)

    def test_not_a_code(self) -> None:
        """Too few digits, letters, other scripts' digits and very long texts are refused."""
        for text in ("", "12345678", "1234567890", "abc-def-ghi", "１２３４５６７８９", "1" * 100_000):
            self.assertRaises(BadCode, Secret.typed, text)

    def test_enough_of_them(self) -> None:
        """Codes come from all of 10^8, zeros at the front are kept, and no random octet is wasted on a pattern."""
        source = random.Random(SEED).randbytes
        made = {Secret.new_code(source).octets for _ in range(2000)}
        self.assertGreater(len(made), 1990)
        self.assertTrue(all(len(digits) == 8 for digits in made))
        self.assertTrue(any(digits.startswith(b"0") for digits in made))

    def test_not_in_logs(self) -> None:
        """What a traceback or log shows of a secret does not tell it."""
        code = Secret.typed(str(Secret(Means.CODE, b"12345678")))
        self.assertNotIn("12345678", repr(code))
        self.assertNotIn("12345678", repr([code]))

    def test_means_are_kept_apart(self) -> None:
        """The same octets make different passwords when they were typed and when they were scanned."""
        self.assertNotEqual(Secret(Means.CODE, b"1" * 8).password, Secret(Means.SCANNED, b"1" * 8).password)


class InvitationTests(SynchronousTestCase):
    """The URI in a QR code."""

    def test_round_trip(self) -> None:
        """Both kinds are read as they were written, escapes in names too."""
        for invitation in (LINK, PAIR):
            self.assertEqual(Invitation.read(invitation.uri), invitation)
            self.assertEqual(Invitation.read(f"  {invitation.uri}&later=1\n"), invitation)

    def test_form(self) -> None:
        """The URI is the one that the documentation shows."""
        self.assertEqual(
            LINK.uri,
            "p2pship:link?to=alice@example.com&device=000102030405060708090a0b0c0d0e0f&secret=caireeyuculbogazdinryhi6d4",
        )

    def test_cut_short(self) -> None:
        """Every shorter piece of it is refused, and so is what is too long."""
        for invitation in (LINK, PAIR):
            for length in range(len(invitation.uri)):
                self.assertRaises(BadInvitation, Invitation.read, invitation.uri[:length])
        self.assertRaises(BadInvitation, Invitation.read, LINK.uri + "&x=" + "y" * LONGEST_INVITATION)

    def test_others(self) -> None:
        """Another scheme, purpose, host part, name or a doubled parameter is refused."""
        uri = LINK.uri
        for bad in (
            uri.replace("p2pship:", "https:"),
            uri.replace("link", "lunch"),
            uri.replace("link", "pair"),
            uri.replace("p2pship:", "p2pship://evil.example/"),
            uri.replace("alice@example.com", "nobody"),
            uri.replace("alice@example.com", "alice@exa%00mple.com"),
            uri + "&to=mallory@example.com",
            uri.replace("device=00", "device="),
        ):
            self.assertRaises(BadInvitation, Invitation.read, bad)

    @given(st.text(max_size=200))
    def test_garbage(self, text: str) -> None:
        """Whatever somebody pastes is refused as theirs, not as our bug."""
        for read in (Invitation.read, Secret.typed):
            try:
                read(text)
                read("p2pship:" + text)
                read(LINK.uri + text)
            except RemoteError:
                pass
