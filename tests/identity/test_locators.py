"""Tests of locators in binary."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.address import Locator, canonical_host
from p2pship.errors import BadPapers, LocalError
from p2pship.identity.locators import LONGEST_LOCATORS, MOST_LOCATORS, decode_locators, encode_locators

HOSTS = st.ip_addresses().map(lambda address: canonical_host(str(address).partition("%")[0]))
BEARERS = st.sampled_from(["hip", "tls", "tcp", "udp"]) | st.from_regex(r"[a-z0-9]{1,32}", fullmatch=True)
LOCATORS = st.builds(Locator, BEARERS, HOSTS, st.integers(1, 65535))


def locators(*texts: str) -> tuple[Locator, ...]:
    """Return locators from their spelling."""
    return tuple(Locator.parse(text) for text in texts)


class LocatorsTests(TestCase):
    """Encoding and decoding."""

    @given(st.lists(LOCATORS, max_size=6))
    def test_round_trip(self, given: list[Locator]) -> None:
        """Locators come back in their order."""
        self.assertEqual(decode_locators(encode_locators(given)), tuple(given))

    def test_layout(self) -> None:
        """Family and bearer share an octet; an address is not repeated; a bearer without a number is named."""
        given = locators(
            "hip:192.0.2.5:10500", "tls:192.0.2.5:5566", "radio:192.0.2.5:1", "udp:[2001:db8::5]:9"
        )
        encoded = "41 c0000205 2904" + "02 15be" + "00 05 726164696f 0001"
        encoded += "64 20010db8000000000000000000000005 0009"
        self.assertEqual(encode_locators(given).hex(), encoded.replace(" ", ""))

    def test_mapped(self) -> None:
        """An IPv4 address written as an IPv6 one is the IPv4 address."""
        packed = ipaddress.ip_address("::ffff:192.0.2.5").packed
        self.assertEqual(decode_locators(b"\x61" + packed + b"\0\1"), locators("hip:192.0.2.5:1"))

    def test_unknown_bearer(self) -> None:
        """A bearer whose number nobody knows yet is left out; its address still counts for the next."""
        data = bytes.fromhex("4f c0000205 0001" + "02 0002" + "0e 0003" + "03 0004")
        self.assertEqual(decode_locators(data), locators("tls:192.0.2.5:2", "tcp:192.0.2.5:4"))

    def test_refused(self) -> None:
        """What is not of the form is refused: no address before, an unknown family, port 0, a bad name."""
        for text in (
            "01 0001",
            "51 c0000205 0001",
            "f1 c0000205 0001",
            "41 c0000205 0000",
            "40 00 c0000205 0001",
            "40 03 746c53 c0000205 0001",
            "40 03 74003a c0000205 0001",
            "40 21" + "61" * 33 + "c0000205 0001",
        ):
            with self.assertRaises(BadPapers, msg=text):
                decode_locators(bytes.fromhex(text))

    def test_truncated(self) -> None:
        """Locators that are cut short are refused, but between two of them."""
        given = locators("hip:192.0.2.5:10500", "tls:[2001:db8::5]:5566", "radio:[2001:db8::5]:1")
        data = encode_locators(given)
        ends = {len(encode_locators(given[:count])) for count in range(4)}
        for end in set(range(len(data))) - ends:
            self.assertRaises(BadPapers, decode_locators, data[:end])

    def test_most(self) -> None:
        """32 are read, one more is refused; no more are written."""
        one = encode_locators(locators("hip:192.0.2.5:1"))
        many = one + bytes.fromhex("010001") * (MOST_LOCATORS - 1)
        self.assertEqual(len(decode_locators(many)), MOST_LOCATORS)
        self.assertRaises(BadPapers, decode_locators, many + bytes.fromhex("010001"))
        self.assertEqual(encode_locators(locators("hip:192.0.2.5:1") * (MOST_LOCATORS + 5)), many)

    def test_longest(self) -> None:
        """The most preferred are written as long as there is room, and those after them are left out."""
        given = [Locator("hip", f"2001:db8::{number:x}", 10500) for number in range(1, 25)]
        encoded = encode_locators(given)
        count = LONGEST_LOCATORS // 19
        self.assertEqual(decode_locators(encoded), tuple(given[:count]))

    def test_bad_name(self) -> None:
        """A bearer of our own with a name that nobody would read is our bug."""
        for name in ("", "Radio", "a b", "x" * 33, "r\u00e4dio"):
            self.assertRaises(LocalError, encode_locators, [Locator(name, "192.0.2.5", 1)])

    @given(st.binary(max_size=LONGEST_LOCATORS))
    def test_garbage(self, data: bytes) -> None:
        """Garbage is refused, or is locators that can be written."""
        try:
            read = decode_locators(data)
        except BadPapers:
            return
        self.assertEqual([Locator.parse(str(locator)) for locator in read], list(read))
