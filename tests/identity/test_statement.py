"""Tests of the identity statement."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.errors import BadPapers, LocalError
from p2pship.identity import record, statement
from p2pship.identity.cbor import decode, encode
from p2pship.identity.cose import parse_sign1, sign1
from p2pship.identity.keys import sign
from p2pship.identity.statement import (
    LONGEST_STATEMENT,
    MOST_DEVICES,
    MOST_MAIL_HOLDERS,
    MOST_REVOKED,
    MOST_SUCCEEDED,
    SUCCEEDED_LENGTH,
    read_statement,
    verify_statement,
)
from p2pship.identity.validity import SKEW, STATEMENT_LIFETIME
from tests.identity import example

EXPIRES = example.NOW + STATEMENT_LIFETIME
REMOVED = object()


def edited(changes: dict[int, Any], context: str = statement.CONTEXT) -> bytes:
    """Return a well-signed statement whose fields were edited by somebody who has the key."""
    fields = decode(parse_sign1(example.statement()).payload) | changes
    payload = encode({number: value for number, value in fields.items() if value is not REMOVED})
    return sign1(payload, context, lambda data: sign(example.KEY, data))


class StatementTests(TestCase):
    """Signing and verifying."""

    def reason(self, raw: bytes, now: float = example.NOW) -> str:
        """Return why a statement is refused."""
        return str(self.assertRaises(BadPapers, verify_statement, raw, now))

    def test_round_trip(self) -> None:
        """Everything that was stated is read."""
        devices = [example.DEVICE.listed, *example.other_devices(3)]
        raw = example.statement(devices=devices, revoked=[b"r" * 32], mail_holders=["bob@example.com"])
        read = verify_statement(raw, example.NOW)
        self.assertEqual((read.aor, read.key, read.raw), (example.AOR, example.IDENTITY_KEY, raw))
        self.assertEqual(
            (read.version, read.issued, read.expires),
            (example.VECTOR["statement_version"], example.NOW, EXPIRES),
        )
        self.assertEqual((read.devices, read.revoked), (tuple(devices), (b"r" * 32,)))
        self.assertEqual(
            (read.mail_holders, read.certificate_hash), (("bob@example.com",), example.CERTIFICATE_HASH)
        )

    def test_authority_and_succession(self) -> None:
        """Who certified the key, and which keys it replaces, are read as they were stated; both may be missing."""
        entries = tuple(bytes([number]) * SUCCEEDED_LENGTH for number in range(MOST_SUCCEEDED))
        read = verify_statement(example.statement(authority=b"a" * 8, succession=entries), example.NOW)
        self.assertEqual((read.authority, read.succession), (b"a" * 8, entries))
        plain = verify_statement(example.statement(), example.NOW)
        self.assertEqual((plain.authority, plain.succession), (b"", ()))

    def test_time_zero(self) -> None:
        """A clock at zero, as tests have, is as good as any."""
        raw = example.statement(version=0, issued=0, expires=1)
        self.assertEqual(verify_statement(raw, 0).version, 0)

    def test_dates(self) -> None:
        """It holds from a quarter of an hour before it was signed to a quarter after it expires."""
        raw = example.statement()
        for now in (example.NOW - SKEW, example.NOW, EXPIRES, EXPIRES + SKEW):
            verify_statement(raw, now)
        self.assertIn("in the future", self.reason(raw, example.NOW - SKEW - 1))
        self.assertIn("expired", self.reason(raw, EXPIRES + SKEW + 1))
        self.assertEqual(read_statement(raw).expires, EXPIRES)

    def test_lifetime(self) -> None:
        """It may not hold for more than thirty days, nor expire before it was signed."""
        self.assertIn("more than", self.reason(edited({5: EXPIRES + 1})))
        self.assertIn("before it was signed", self.reason(edited({5: example.NOW})))

    def test_context(self) -> None:
        """A signature made for a record is none for a statement."""
        self.assertIn("signature", self.reason(edited({}, record.CONTEXT)))

    def test_other_key(self) -> None:
        """A statement about somebody's key that another key signed is refused."""
        payload = parse_sign1(example.statement()).payload
        raw = sign1(payload, statement.CONTEXT, example.DEVICE.sign)
        self.assertIn("signature is not that of its identity key", self.reason(raw))

    def test_unknown_fields(self) -> None:
        """Fields of later versions are ignored, as long as they are plain."""
        raw = edited({55: b"more", 77: {"a": [1]}})
        self.assertEqual(verify_statement(raw, example.NOW).aor, example.AOR)

    def test_format_version(self) -> None:
        """Another format version is refused, whatever else it says."""
        for version in (0, 2, True, "1", None):
            self.assertIn("format version", self.reason(edited({0: version})))
        self.assertIn("format version", self.reason(edited({0: REMOVED})))

    def test_missing(self) -> None:
        """Each field but the lists has to be there, and is named."""
        names = {1: "name", 2: "identity key", 3: "version", 4: "date", 5: "end", 9: "certificate hash"}
        for number, name in names.items():
            self.assertIn(f"has no {name}", self.reason(edited({number: REMOVED})))

    def test_forms(self) -> None:
        """A field that is not of its form is refused and named."""
        cases: tuple[tuple[int, Any, str], ...] = (
            (1, "Alice@EXAMPLE.com", "canonical"),
            (1, "sip:alice@example.com", "canonical"),
            (1, "nobody", "no @"),
            (1, b"alice@example.com", "name"),
            (2, example.IDENTITY_KEY, "identity key"),
            (2, b"\x02" + b"\xff" * 32, "identity key"),
            (2, "key", "identity key"),
            (3, -1, "version"),
            (3, True, "version"),
            (3, 2**63, "version"),
            (4, "now", "date"),
            (6, b"x" * 63, "devices"),
            (6, [], "devices"),
            (6, b"x" * 64 * (MOST_DEVICES + 1), "devices"),
            (7, b"x" * 31, "revoked"),
            (7, b"x" * 32 * (MOST_REVOKED + 1), "revoked"),
            (8, ["bob"], "mail holders"),
            (8, [1], "mail holders"),
            (8, ["bob@example.com"] * (MOST_MAIL_HOLDERS + 1), "mail holders"),
            (9, b"x" * 31, "certificate hash"),
            (10, b"x" * 7, "authority"),
            (10, b"x" * 16, "authority"),
            (10, "x" * 8, "authority"),
            (11, b"x" * (SUCCEEDED_LENGTH - 1), "former keys"),
            (11, b"x" * SUCCEEDED_LENGTH * (MOST_SUCCEEDED + 1), "former keys"),
        )
        for number, value, word in cases:
            self.assertIn(word, self.reason(edited({number: value})), repr((number, value)))

    def test_longest(self) -> None:
        """One that is too long for a hello is refused before it is read."""
        self.assertIn("more than", self.reason(edited({55: bytes(LONGEST_STATEMENT)})))

    def test_most(self) -> None:
        """With as many devices and revoked ones as there may be it still fits."""
        devices = example.other_devices(MOST_DEVICES)
        raw = example.statement(devices=devices, revoked=[b"r" * 32] * MOST_REVOKED)
        self.assertLessEqual(len(raw), LONGEST_STATEMENT)

    def test_own_mistakes(self) -> None:
        """What nobody would believe is not signed: it is our bug."""
        mistakes: tuple[dict[str, Any], ...] = (
            {"devices": example.other_devices(MOST_DEVICES + 1)},
            {"aor": "sip:alice@example.com"},
            {"expires": EXPIRES + 1},
            {"key": example.DEVICE.key},
            {"key": b"no key"},
            {"certificate_hash": b""},
        )
        for mistake in mistakes:
            self.assertRaises(LocalError, example.statement, **mistake)

    def test_truncated(self) -> None:
        """One that is cut short anywhere is refused."""
        raw = example.statement()
        for end in range(len(raw)):
            self.reason(raw[:end])

    @given(st.integers(0, 10_000), st.integers(1, 255))
    def test_garbled(self, at: int, flip: int) -> None:
        """One with an octet changed is refused, with a reason."""
        raw = bytearray(example.statement())
        raw[at % len(raw)] ^= flip
        self.assertTrue(self.reason(bytes(raw)))

    @given(st.binary(max_size=200))
    def test_garbage(self, payload: bytes) -> None:
        """Garbage is refused, also when it is well signed."""
        self.reason(payload)
        self.reason(sign1(payload, statement.CONTEXT, lambda data: sign(example.KEY, data)))
