"""Tests of the canonical address of record."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.identity.aor import LONGEST_AOR, LONGEST_URI, BadAOR, canonical_aor, split_aor

ALICE = "alice@example.com"

SAME = (
    ("alice@example.com", ALICE),
    ("sip:alice@example.com", ALICE),
    ("SIPS:alice@EXAMPLE.com", ALICE),
    ("sip:%61lice@example.com;transport=TCP", ALICE),
    ("sip:alice@example.com.", ALICE),
    ("sip:alice@example.com:5061", ALICE),
    ("sip:alice@example.com?subject=project%20x&priority=urgent", ALICE),
    ("sip:alice@example.com:5060;user=phone;lr?a=b", ALICE),
    ("sip:alice:secretword@example.com;transport=tcp", ALICE),
    # RFC 3261 §19.1.3 and §19.1.2
    ("sip:+1-212-555-1212:1234@gateway.com;user=phone", "+1-212-555-1212@gateway.com"),
    ("sip:alice;day=tuesday@atlanta.com", "alice;day=tuesday@atlanta.com"),
    ("sip:j%40s0n@example.com", "j%40s0n@example.com"),
    ("sip:a%3ab%c3%bc@example.com", "a%3Ab%C3%BC@example.com"),
    ("sip:aü@example.com", "a%C3%BC@example.com"),
    ("sip:*21#@example.com", "*21%23@example.com"),
    ("sip:%2a21%23@example.com", "*21%23@example.com"),
    ("sip:alice+voicemail@example.com", "alice+voicemail@example.com"),
    # RFC 4475 §3.1.1.4: an escaped null ends nothing, and no control character leaves its escape
    ("sip:null-%00-null@example.com", "null-%00-null@example.com"),
    ("sip:a%0d%0a%7f@example.com", "a%0D%0A%7F@example.com"),
    # RFC 5118 §4.10
    ("sip:user@[2001:db8:::192.0.2.1]", "user@[2001:db8::c000:201]"),
    ("sip:user@[2001:db8::192.0.2.1]", "user@[2001:db8::c000:201]"),
    ("sip:-_.!~*'()&=+$,;?/@x", "-_.!~*'()&=+$,;?/@x"),
    ("sip:%2D%5f%2e%21%7e%2A%27%28%29%26%3D%2b%24%2c%3b%3f%2F@x", "-_.!~*'()&=+$,;?/@x"),
    ("sip:alice@192.0.2.4", "alice@192.0.2.4"),
    ("sip:alice@192.0.2.4:5070", "alice@192.0.2.4"),
    ("sip:alice@[2001:DB8:0::1]:5070;lr", "alice@[2001:db8::1]"),
    ("alice@[::1]", "alice@[::1]"),
    ("alice@my_host", "alice@my_host"),
    ("sip:Alice@Example.COM", "Alice@example.com"),
)

BAD = (
    "",
    "alice",
    "sip:example.com",
    "@example.com",
    "sip:@example.com",
    "sip::secret@example.com",
    "alice@",
    "alice@example.com@evil.com",
    "mailto:alice@example.com",
    "tel:+1234@example.com",
    "<sip:alice@example.com>",
    "Alice <sip:alice@example.com>",
    "al ice@example.com",
    "alice @example.com",
    "al\tice@example.com",
    "alice\r\n@example.com",
    "alice\0@example.com",
    "alice\x85@example.com",
    "alice\ud800@example.com",
    "alice%@example.com",
    "alice%4@example.com",
    "alice%zz@example.com",
    "alice@exa mple.com",
    "alice@example.com\n",
    "alice@ex%61mple.com",
    "alice@exämple.com",
    "alice@-example.com",
    "alice@example-.com",
    "alice@.example.com",
    "alice@example..com",
    "alice@example.com..",
    "alice@999.1.1.1",
    "alice@example.123",
    "alice@::1",
    "alice@[::1",
    "alice@[zz::1]",
    "alice@[fe80::1%eth0]",
    "alice@[192.0.2.1]x",
    "alice@[2001:db8:::1]",
    "alice@example.com:",
    "alice@example.com:port",
    "alice@" + "a" * 64 + ".com",
)


class CanonicalAORTests(TestCase):
    """One spelling for each name."""

    def test_same(self) -> None:
        """Every spelling has its canonical one."""
        for text, canonical in SAME:
            self.assertEqual(canonical_aor(text), canonical, text)

    def test_bad(self) -> None:
        """What names nobody is the other side's error."""
        for text in BAD:
            with self.assertRaises(BadAOR, msg=repr(text)):
                canonical_aor(text)

    def test_case(self) -> None:
        """The case of a user part matters (RFC 3261 §19.1.4)."""
        self.assertNotEqual(canonical_aor("Alice@example.com"), canonical_aor(ALICE))

    def test_longest(self) -> None:
        """A name of 254 characters is the longest, counted with its escapes and without what is dropped."""
        longest = "a" * (LONGEST_AOR - len("@example.com")) + "@example.com"
        self.assertEqual(canonical_aor(f"sip:{longest}:5060;transport=tcp"), longest)
        self.assertRaises(BadAOR, canonical_aor, "a" + longest)
        self.assertRaises(BadAOR, canonical_aor, "%ff" + longest[3:] + "a")
        self.assertRaises(BadAOR, canonical_aor, ALICE + ";" + "x" * LONGEST_URI)

    def test_split(self) -> None:
        """A canonical AOR comes apart at its only @."""
        self.assertEqual(split_aor("j%40s0n@[2001:db8::1]"), ("j%40s0n", "[2001:db8::1]"))

    @given(st.text(max_size=60), st.sampled_from(["example.com", "[2001:db8::1]", "192.0.2.1"]))
    def test_stable(self, user: str, host: str) -> None:
        """Whatever is accepted is canonical: a second time changes nothing, and one @ splits it."""
        try:
            aor = canonical_aor(f"sip:{user}@{host}")
        except BadAOR:
            return
        self.assertEqual((canonical_aor(aor), canonical_aor(f"sip:{aor}")), (aor, aor))
        self.assertEqual((aor.count("@"), aor.isascii(), aor.isprintable()), (1, True, True))

    @given(st.text(max_size=80))
    def test_garbage(self, text: str) -> None:
        """Garbage raises BadAOR or is a name, nothing else."""
        try:
            canonical_aor(text)
        except BadAOR as error:
            self.assertTrue(str(error))
