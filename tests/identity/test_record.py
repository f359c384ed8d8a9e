"""Tests of the device record."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.address import Locator
from p2pship.errors import BadPapers, LocalError
from p2pship.identity import record, statement
from p2pship.identity.cbor import decode, encode
from p2pship.identity.cose import parse_sign1, sign1
from p2pship.identity.locators import LONGEST_LOCATORS
from p2pship.identity.record import LONGEST_PARAMETER, LONGEST_RECORD, MOST_PARAMETERS, verify_record
from p2pship.identity.statement import person_hash
from p2pship.identity.validity import RECORD_LIFETIME, SKEW
from tests.identity import example

EXPIRES = example.NOW + RECORD_LIFETIME
REMOVED = object()


def edited(changes: dict[int, Any], context: str = record.CONTEXT) -> bytes:
    """Return a well-signed record whose fields were edited by somebody who has the key."""
    fields = decode(parse_sign1(example.record()).payload) | changes
    payload = encode({number: value for number, value in fields.items() if value is not REMOVED})
    return sign1(payload, context, example.DEVICE.sign)


class RecordTests(TestCase):
    """Signing and verifying."""

    def reason(self, raw: bytes, now: float = example.NOW) -> str:
        """Return why a record is refused."""
        return str(self.assertRaises(BadPapers, verify_record, raw, now))

    def test_round_trip(self) -> None:
        """Everything that was recorded is read."""
        raw = example.record(parameters=[("presence", "online"), ("a", "")])
        read = verify_record(raw, example.NOW)
        self.assertEqual((read.person, read.raw), (person_hash(example.AOR, example.IDENTITY_KEY), raw))
        self.assertEqual(
            (read.statement_version, read.sequence),
            (example.VECTOR["statement_version"], example.VECTOR["sequence"]),
        )
        self.assertEqual((read.issued, read.expires), (example.NOW, EXPIRES))
        self.assertEqual(
            (read.device_key, read.sealing_key), (example.DEVICE.key, example.DEVICE.sealing_key)
        )
        self.assertEqual(
            (read.locators, dict(read.parameters)), (example.LOCATORS, {"presence": "online", "a": ""})
        )

    def test_nowhere(self) -> None:
        """A device that can be dialled nowhere may say so, also at time zero."""
        raw = example.record(locators=(), statement_version=0, sequence=0, issued=0, expires=1)
        self.assertEqual(verify_record(raw, 0).locators, ())

    def test_dates(self) -> None:
        """It holds from a quarter of an hour before it was signed to a quarter after it expires."""
        raw = example.record()
        for now in (example.NOW - SKEW, example.NOW, EXPIRES, EXPIRES + SKEW):
            verify_record(raw, now)
        self.assertIn("in the future", self.reason(raw, example.NOW - SKEW - 1))
        self.assertIn("expired", self.reason(raw, EXPIRES + SKEW + 1))

    def test_lifetime(self) -> None:
        """It may not hold for more than an hour."""
        self.assertIn("more than", self.reason(edited({5: EXPIRES + 1})))

    def test_context(self) -> None:
        """A signature made for a statement is none for a record."""
        self.assertIn("signature", self.reason(edited({}, statement.CONTEXT)))

    def test_other_key(self) -> None:
        """A record that names another's Host Identity than signed it is refused."""
        raw = edited({6: parse_key(example.statement())})
        self.assertIn("signature is not that of its host identity", self.reason(raw))

    def test_unknown_fields(self) -> None:
        """Fields of later versions are ignored."""
        self.assertEqual(verify_record(edited({10: b"more"}), example.NOW).locators, example.LOCATORS)

    def test_missing(self) -> None:
        """Each field but locators and parameters has to be there, and is named."""
        names = (
            "hash of the person",
            "statement version",
            "sequence number",
            "date",
            "end",
            "host identity",
            "sealing key",
        )
        for number, name in enumerate(names, 1):
            self.assertIn(f"has no {name}", self.reason(edited({number: REMOVED})))
        read = verify_record(edited({8: REMOVED}), example.NOW)
        self.assertEqual((read.locators, read.parameters), ((), ()))

    def test_forms(self) -> None:
        """A field that is not of its form is refused and named."""
        cases: tuple[tuple[int, Any, str], ...] = (
            (0, 2, "format version"),
            (1, b"x" * 31, "hash of the person"),
            (2, -1, "statement version"),
            (3, 2**63, "sequence number"),
            (6, b"x" * 33, "host identity"),
            (7, b"x" * 33, "sealing key"),
            (8, b"\xff", "locator"),
            (8, [], "locators"),
            (8, b"x" * (LONGEST_LOCATORS + 1), "locators"),
            (9, {1: "a"}, "parameters"),
            (9, {"a": 1}, "parameters"),
            (9, {"a": "x" * (LONGEST_PARAMETER + 1)}, "parameters"),
            (9, {"ä" * 65: ""}, "parameters"),
            (9, {str(number): "" for number in range(MOST_PARAMETERS + 1)}, "parameters"),
            (9, [], "parameters"),
        )
        for number, value, word in cases:
            self.assertIn(word, self.reason(edited({number: value})), repr((number, value)))

    def test_longest(self) -> None:
        """One that fits no sealed item is refused before it is read."""
        self.assertIn("more than", self.reason(edited({10: bytes(LONGEST_RECORD)})))

    def test_many_locators(self) -> None:
        """Of too many locators, those that are preferred are named."""
        locators = [Locator("hip", f"2001:db8::{number:x}", 10500) for number in range(1, 100)]
        read = verify_record(example.record(locators=locators), example.NOW)
        self.assertEqual(list(read.locators), locators[: len(read.locators)])
        self.assertGreaterEqual(len(read.locators), 16)

    def test_own_mistakes(self) -> None:
        """What nobody would believe is not signed: it is our bug."""
        mistakes: tuple[dict[str, Any], ...] = (
            {"expires": EXPIRES + 1},
            {"device_key": example.IDENTITY_KEY},
            {"device_key": b"no key"},
            {"person": b""},
            {"parameters": [("a", "x" * (LONGEST_PARAMETER + 1))]},
            {"parameters": [(f"name {number}", "x" * 100) for number in range(8)]},
        )
        for mistake in mistakes:
            self.assertRaises(LocalError, example.record, **mistake)

    def test_truncated(self) -> None:
        """One that is cut short anywhere is refused."""
        raw = example.record()
        for end in range(len(raw)):
            self.reason(raw[:end])

    @given(st.integers(0, 10_000), st.integers(1, 255))
    def test_garbled(self, at: int, flip: int) -> None:
        """One with an octet changed is refused, with a reason."""
        raw = bytearray(example.record())
        raw[at % len(raw)] ^= flip
        self.assertTrue(self.reason(bytes(raw)))

    @given(st.binary(max_size=200))
    def test_garbage(self, payload: bytes) -> None:
        """Garbage is refused, also when it is well signed."""
        self.reason(payload)
        self.reason(sign1(payload, record.CONTEXT, example.DEVICE.sign))


def parse_key(statement_raw: bytes) -> bytes:
    """Return the compressed identity key of a statement."""
    key: bytes = decode(parse_sign1(statement_raw).payload)[2]
    return key
