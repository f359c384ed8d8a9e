"""Tests of keys that gave way to new ones."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.keys import new_p256, sign, spki
from p2pship.identity.papers import Statement
from p2pship.identity.statement import verify_statement
from p2pship.identity.succession import predecessors, succeeded
from tests.identity.example import AOR, IDENTITY_KEY, NOW, statement


def entry(old: Any, new: bytes, aor: str = AOR) -> bytes:
    """Return what says that a key pair gave way to a key."""
    return succeeded(lambda data: sign(old, data), spki(old), aor, new)


class SuccessionTests(SynchronousTestCase):
    """Chains of keys, true and false."""

    def setUp(self) -> None:
        self.first, self.second = new_p256(), new_p256()
        self.last = entry(self.second, IDENTITY_KEY)

    def stated(self, *entries: bytes) -> Statement:
        """Return a statement of the example's key with these entries."""
        return verify_statement(statement(succession=entries), NOW)

    def test_true(self) -> None:
        """Each old key that signed its successor is named, newest first."""
        read = self.stated(self.last, entry(self.first, spki(self.second)))
        self.assertEqual(predecessors(read), (spki(self.second), spki(self.first)))

    def test_none(self) -> None:
        """A key that replaces none has no predecessors."""
        self.assertEqual(predecessors(self.stated()), ())

    def test_false(self) -> None:
        """A signature by another key, for another name or for another successor proves nothing, nor does what follows."""
        thief = new_p256()
        forged = spki(self.second)[-65:]
        point = bytes([2 + forged[-1] % 2]) + forged[1:33]
        bad = (
            point + entry(thief, IDENTITY_KEY)[33:],
            entry(self.second, IDENTITY_KEY, "bob@example.com"),
            entry(self.second, spki(thief)),
            b"\x02" + b"\xff" * 32 + self.last[33:],
            self.last[:-1] + bytes([self.last[-1] ^ 1]),
        )
        for each in bad:
            read = self.stated(each, entry(self.first, spki(self.second)))
            self.assertEqual(predecessors(read), ())

    def test_gap(self) -> None:
        """A key that gave way to one that is not in between proves nothing."""
        self.assertEqual(
            predecessors(self.stated(self.last, entry(self.first, IDENTITY_KEY))), (spki(self.second),)
        )
