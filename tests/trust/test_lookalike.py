"""Tests of names that are easily taken for another."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.trust.likenesses import Likenesses
from p2pship.trust.lookalike import forbidden, international, looks, oddities, skeleton

ALICE = "alice@example.com"


class LookAlikeTests(SynchronousTestCase):
    """Names that look like one of a contact."""

    def assert_alike(self, one: str, other: str) -> None:
        """Check that two names are flagged, whichever came first."""
        self.assertEqual((Likenesses([other]).of(one), Likenesses([one]).of(other)), ([other], [one]))

    def test_case(self) -> None:
        """Another case of the user part is another person who looks the same."""
        self.assert_alike("Alice@example.com", ALICE)
        self.assert_alike("ALICE@example.com", ALICE)

    def test_ascii(self) -> None:
        """Digits and letters that look alike."""
        for name in ("a1ice@example.com", "aIice@example.com", "a|ice@example.com", "alice@exarnple.com"):
            self.assert_alike(name, ALICE)
        self.assert_alike("b0b@example.com", "bob@example.com")

    def test_other_scripts(self) -> None:
        """Cyrillic letters in the user part, and in an international host in its ASCII form."""
        self.assert_alike("%D0%B0lice@example.com", ALICE)
        self.assert_alike("alice@xn--xample-2of.com", ALICE)
        self.assert_alike("%EF%BD%81lice@example.com", ALICE)

    def test_different(self) -> None:
        """Other names are not flagged, nor a name for itself."""
        others = ["alicia@example.com", "bob@example.com", "alice@example.org", "al1ce@example.com", ALICE]
        self.assertEqual(Likenesses(others).of(ALICE), [])

    def test_taken_out(self) -> None:
        """A name that was taken out is not found, and leaves nothing behind."""
        names = Likenesses([ALICE, "ALICE@example.com"])
        names.remove(ALICE)
        self.assertEqual(names.of("a1ice@example.com"), ["ALICE@example.com"])
        names.remove("ALICE@example.com")
        names.remove("ALICE@example.com")
        self.assertEqual(names.of("a1ice@example.com"), [])

    def test_mixed_script(self) -> None:
        """A name that mixes scripts is odd; one whole script is not."""
        self.assertTrue(oddities("%D0%B0lice@example.com"))
        self.assertTrue(oddities("alice@xn--xample-2of.com"))
        self.assertEqual(oddities("%D0%B1%D0%BE%D1%80%D0%B8%D1%81@example.com"), ())
        self.assertEqual(oddities(ALICE), ())

    def test_no_such_host(self) -> None:
        """A host that begins as an international one and is none is odd."""
        self.assertTrue(oddities("alice@xn--a.com"))

    def test_forbidden(self) -> None:
        """What cannot be seen is never taken, however it is written."""
        for user in ("a%00", "a%0A", "a%7F", "a%E2%80%8Bb", "a%E2%80%AEb", "%C2%85a"):
            self.assertTrue(forbidden(f"{user}@example.com"), user)
        for user in ("alice", "b%C3%B6b", "a%25b", "%FF"):
            self.assertEqual(forbidden(f"{user}@example.com"), "", user)

    def test_international(self) -> None:
        """Other than ASCII is seen through its escape; octets that are no UTF-8 count, too."""
        self.assertTrue(international("b%C3%B6b@example.com") and international("%FF@example.com"))
        self.assertFalse(international(ALICE) or international("a%25b@xn--bcher-kva.example"))

    def test_table(self) -> None:
        """The short table of ASCII says the same as that of the Unicode Consortium; no name shows a percent sign."""
        for one in map(chr, range(0x21, 0x7F)):
            if one == "%":
                continue
            self.assertEqual(skeleton(f"{one}\u0416")[:-1], skeleton(one), one)

    def test_skeleton_again(self) -> None:
        """The skeleton of a skeleton is itself, so that it does not matter which of two names is the contact."""
        for text in ("pаypal", "rnodern", "𝐀lice", "ǉ", "٥"):
            self.assertEqual(skeleton(skeleton(text)), skeleton(text), text)
        self.assertTrue(looks(ALICE))
