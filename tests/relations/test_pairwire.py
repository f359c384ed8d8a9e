"""The messages of linking and pairing on the wire."""

from __future__ import annotations

from contextlib import suppress as ignore
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import RemoteError
from p2pship.identity.cbor import decode, encode
from p2pship.relations.codes import Means
from p2pship.relations.linkwire import NewDevice, Welcome
from p2pship.relations.pairwire import (
    Accept,
    Confirm,
    Known,
    Offer,
    Please,
    is_pairing,
    read_pairing,
    write_pairing,
)
from p2pship.relations.pakewire import BadMessage, Element, Proof, Refusal, read_message, write_message
from p2pship.relations.window import Ending

KEY = bytes(range(32))
MESSAGES: tuple[Any, ...] = (
    Element(b"A" + KEY),
    Element(b"B" + KEY, Means.SCANNED),
    Proof(KEY, b"sealed"),
    *(Refusal(ending, 2) for ending in Ending),
)
PAIRING: tuple[Any, ...] = (
    Offer(KEY, (1, 2**64 - 1), True),
    Offer(KEY, (), False),
    Accept(KEY, KEY),
    Confirm(KEY),
    Known((7,)),
    Please(),
)
SEALED: tuple[Any, ...] = (
    NewDevice(KEY, "laptop"),
    Welcome(b"statement", (b"one", b"two"), b"crl", b"key"),
    Welcome(b"s", (), b"", b""),
)


class MessageTests(SynchronousTestCase):
    """What is written is read again; nothing else is."""

    def test_round_trip(self) -> None:
        """Each message comes back as it was, and the two kinds are told apart."""
        for message in MESSAGES:
            self.assertEqual(read_message(write_message(message)), message)
            self.assertFalse(is_pairing(write_message(message)))
        for one in PAIRING:
            self.assertEqual(read_pairing(write_pairing(one)), one)
            self.assertTrue(is_pairing(write_pairing(one)))
        for thing in SEALED:
            self.assertEqual(type(thing).read(thing.encode()), thing)

    def test_later_keys(self) -> None:
        """What a later version adds is ignored."""
        for message in MESSAGES:
            self.assertEqual(read_message(encode({**decode(write_message(message)), 9: b"more"})), message)

    def test_truncated(self) -> None:
        """A message cut at any length is refused."""
        readers: list[tuple[bytes, Any]] = [(write_message(one), read_message) for one in MESSAGES]
        readers += [(write_pairing(one), read_pairing) for one in PAIRING]
        readers += [(one.encode(), type(one).read) for one in SEALED]
        for octets, read in readers:
            for length in range(len(octets)):
                self.assertRaises(RemoteError, read, octets[:length])

    def test_wrong_fields(self) -> None:
        """A field of another type or length makes the message none."""
        wrong: tuple[Any, ...] = (b"", KEY * 3, 2**64, -1, "x", [], [1] * 9, [b""], None, True, {})
        for octets in map(write_message, MESSAGES):
            fields = decode(octets)
            for value in wrong:
                with ignore(BadMessage):
                    message = read_message(encode({**fields, 1: value}))
                    self.assertIn(type(message), (Refusal,))
        for value in wrong[1:]:
            self.assertRaises(BadMessage, read_pairing, encode({0: 18, 1: value}))
            self.assertRaises(BadMessage, NewDevice.read, encode({0: 1, 1: value, 2: "x"}))

    def test_names(self) -> None:
        """A device's name steers no terminal, and has an end."""
        for name in ("\x1b[2J", "a\nb", "x" * 65):
            self.assertRaises(BadMessage, NewDevice.read, encode({0: 1, 1: KEY, 2: name}))

    def test_long_list(self) -> None:
        """A revocation list that the other side would not read stays behind: the device is linked without."""
        self.assertEqual(Welcome.read(Welcome(b"s", (), bytes(20_000), b"").encode()).revocations, b"")

    def test_secrets_are_not_shown(self) -> None:
        """What a traceback shows of a bundle is not the identity key."""
        self.assertNotIn("secret key", repr(Welcome(b"s", (), b"", b"secret key")))

    @given(st.binary(max_size=80))
    def test_garbage(self, octets: bytes) -> None:
        """Whatever comes is a message or refused as theirs."""
        for read in (read_message, read_pairing, NewDevice.read, Welcome.read, is_pairing):
            with ignore(RemoteError):
                read(octets)
