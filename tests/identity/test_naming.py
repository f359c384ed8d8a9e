"""Tests of the characters that a name may have."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.naming import NameRefused, check_own_name, has_unseen_character, is_beyond_ascii


class NamingTests(SynchronousTestCase):
    """What is refused or flagged, however it is written."""

    def test_unseen(self) -> None:
        """What cannot be seen is never taken, for an own name either, whatever is enabled."""
        for user in ("a%00", "a%0A", "a%7F", "a%E2%80%8Bb", "a%E2%80%AEb", "%C2%85a", "%E2%80%A8"):
            self.assertTrue(has_unseen_character(f"{user}@example.com"), user)
            self.assertRaises(NameRefused, check_own_name, f"{user}@example.com", None, beyond_ascii=True)
        for user in ("alice", "b%C3%B6b", "a%25b", "%FF"):
            self.assertFalse(has_unseen_character(f"{user}@example.com"), user)
            check_own_name(f"{user}@example.com", None, beyond_ascii=True)

    def test_beyond_ascii(self) -> None:
        """Other than ASCII is seen through its escape; octets that are no UTF-8 count, too."""
        for user in ("b%C3%B6b", "%FF"):
            self.assertTrue(is_beyond_ascii(f"{user}@example.com"), user)
            self.assertRaises(NameRefused, check_own_name, f"{user}@example.com", None, beyond_ascii=False)
        for aor in ("alice@example.com", "a%25b@xn--bcher-kva.example"):
            self.assertFalse(is_beyond_ascii(aor), aor)
