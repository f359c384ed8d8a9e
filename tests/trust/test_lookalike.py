"""Tests of names that are easily taken for another."""

from __future__ import annotations

from urllib.parse import quote

from twisted.trial.unittest import SynchronousTestCase

from p2pship.trust.likenesses import Likenesses
from p2pship.trust.lookalike import looks, oddities, skeleton

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

    def test_all_of_the_table(self) -> None:
        """What stands for one letter and looks like another, and what is written from right to left (UTS 39 confusables.txt)."""
        pairs = {
            "c": "\u03f2",
            "f": "\u017f",
            "l": "\u05d5\u0627\u0661\u07ca",
            "o": "\u05e1\u0647\u0665",
            "v": "\u05d8",
            "0": "\u07c0",
        }
        for letter, others in pairs.items():
            for other in others:
                self.assert_alike(f"a{quote(other)}b@example.com", f"a{letter}b@example.com")

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
