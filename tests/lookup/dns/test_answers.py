"""What is read from answers: what has its form, and nothing of what has not; garbage breaks nothing."""

from __future__ import annotations

import dns.exception
import dns.message
import dns.rdatatype
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.dns.answers import (
    MOST_RECORDS,
    Pointer,
    Service,
    addresses,
    hosts,
    is_denied,
    lifetime,
    pointers,
    services,
    texts,
)
from tests.scale import scaled

NAME = "node.example.com."

HIP = (
    "3 200100229E7B6E1061FEDC059A8EBBB6 "
    "ae8OyxaiZDGIwXyGr3N9+ew3t1SOZDA61npCOnopvsyLjG2Cnhk9b/ZUlwWZF5gpK0NDwv5riCMHJaoBajoYAg== rvs.example.com."
)
"The record of the reference page."

DATA = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "SRV": "1 2 443 rv.example.com.",
    "NAPTR": '10 20 "s" "P2PSHIP+D2H" "" other.example.com.',
    "TXT": '"v=p2pship1; path=/x; rendezvous=https://a.example; rendezvous=https://b.example"',
    "HIP": HIP,
}
"A good record of each kind."


def answer(kind: str, *data: str, name: str = NAME, asked: str = NAME) -> dns.message.Message:
    """Return an answer with these records, as it came over the line."""
    records = "\n".join(f"{name} 300 IN {kind} {each}" for each in data)
    text = f"id 7\nflags QR RD RA\n;QUESTION\n{asked} IN {kind}\n;ANSWER\n{records}\n"
    read: dns.message.Message = dns.message.from_wire(dns.message.from_text(text).to_wire())
    return read


def everything(read: dns.message.Message) -> list[object]:
    """Return what each function reads from a message."""
    return [
        addresses(read),
        services(read),
        pointers(read),
        texts(read),
        hosts(read),
        is_denied(read),
        lifetime(read),
    ]


class AnswersTests(SynchronousTestCase):
    """Answers, good and bad."""

    def test_each_kind(self) -> None:
        """A good record of each kind is read."""
        self.assertEqual(addresses(answer("A", DATA["A"])), ("192.0.2.1",))
        self.assertEqual(addresses(answer("AAAA", DATA["AAAA"])), ("2001:db8::1",))
        self.assertEqual(services(answer("SRV", DATA["SRV"])), (Service(1, 2, 443, "rv.example.com."),))
        pointer = Pointer(10, 20, "P2PSHIP+D2H", "other.example.com.")
        self.assertEqual(pointers(answer("NAPTR", DATA["NAPTR"])), (pointer,))
        values = {"path": ("/x",), "rendezvous": ("https://a.example", "https://b.example")}
        self.assertEqual(texts(answer("TXT", DATA["TXT"])), (values,))
        self.assertEqual(hosts(answer("HIP", DATA["HIP"]))[0].servers, ("rvs.example.com.",))

    def test_another_name(self) -> None:
        """Records of another name than was asked for are not looked at."""
        for kind, data in DATA.items():
            nothing = everything(answer(kind, name="other.example.com."))
            self.assertEqual(
                everything(answer(kind, data, name="other.example.com."))[:-1], nothing[:-1], kind
            )

    def test_many(self) -> None:
        """Of very many records some are looked at."""
        many = answer("A", *(f"192.0.2.{at}" for at in range(100)))
        self.assertEqual(len(addresses(many)), MOST_RECORDS)

    def test_texts(self) -> None:
        """Texts that are too long or no ASCII are passed over, and what has no value is empty."""
        for data in (
            f'"v=p2pship1; {"x" * 200}" ' + '"y" ' * 5 + f"{' '.join(['z' * 200] * 5)}",
            '"v=p2pship1; \\228"',
        ):
            self.assertEqual(texts(answer("TXT", data)), ())
        self.assertEqual(texts(answer("TXT", '"v=p2pship1;path"')), ({"path": ("",)},))
        self.assertEqual(texts(answer("TXT", '"v=p2pship1"', '""')), ({},))

    def test_denied(self) -> None:
        """The root as the one target denies the service; beside others it is passed over."""
        self.assertTrue(is_denied(answer("SRV", "0 0 443 .")))
        both = answer("SRV", "0 0 443 .", DATA["SRV"])
        self.assertEqual((is_denied(both), len(services(both))), (False, 1))

    def test_truncated(self) -> None:
        """An answer that is cut off anywhere is none, or says less; it breaks nothing."""
        for kind, data in DATA.items():
            octets = answer(kind, data).to_wire()
            for length in range(len(octets)):
                self.read(octets[:length])

    def read(self, octets: bytes) -> None:
        """Read octets as the resolver does, and everything from them."""
        try:
            read = dns.message.from_wire(octets)
        except (dns.exception.DNSException, ValueError):  # the resolver passes it over
            return
        everything(read)

    def test_changed(self) -> None:
        """An answer in which any octet is another breaks nothing."""

        @given(st.sampled_from(sorted(DATA)), st.integers(0, 2**16), st.integers(0, 255))
        @example("HIP", 60, 0xC0)
        def changed(kind: str, at: int, octet: int) -> None:
            octets = bytearray(answer(kind, DATA[kind]).to_wire())
            octets[at % len(octets)] = octet
            self.read(bytes(octets))

        for _ in range(scaled(1, 50)):
            changed()

    @given(st.binary(max_size=300))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage breaks nothing."""
        self.read(garbage)
        self.read(answer("HIP", HIP).to_wire()[:40] + garbage)
