"""Papers of one search are compared with the newest statement of their key."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import BadPapers
from p2pship.identity.papers import Papers
from p2pship.identity.statement import host_identity_hash
from p2pship.identity.verify import papers_from
from p2pship.lookup.newest import NewestStatements
from tests.lookup.people import NOW, Person


class NewestStatementsTests(SynchronousTestCase):
    """Two devices of Bob, whose statements say different things of them."""

    def setUp(self) -> None:
        self.newest = NewestStatements()
        bob = Person(devices=2)
        self.first, self.second = (
            papers_from(bob.statement(), bob.record(device=device), NOW) for device in range(2)
        )

    def without_first(self, version: int, **changes: object) -> Papers:
        """Return the second device's papers with a statement of a version that does not list the first."""
        statement = self.second.statement
        alone = replace(statement, version=version, devices=statement.devices[1:], **changes)  # type: ignore[arg-type]
        return replace(self.second, statement=alone)

    def test_left_out(self) -> None:
        """What a newer statement does not list is refused; what it lists passes with an older one, too."""
        self.newest.check(self.without_first(2))
        self.assertRaises(BadPapers, self.newest.check, self.first)
        self.newest.check(self.second)

    def test_revoked(self) -> None:
        """What a newer statement has revoked is refused, though it lists it as well."""
        digest = host_identity_hash(self.first.record.device_key)
        newer = replace(self.second.statement, version=2, revoked=(digest,))
        self.newest.check(replace(self.second, statement=newer))
        self.assertRaises(BadPapers, self.newest.check, self.first)

    def test_same_version(self) -> None:
        """Devices that sign apart may reach the same version: neither statement is newer, and both pass."""
        self.newest.check(self.without_first(self.first.statement.version))
        self.newest.check(self.first)

    def test_another_key(self) -> None:
        """What another identity key says, under whatever version, is nothing to this one."""
        self.newest.check(self.without_first(9, key=b"another"))
        self.newest.check(self.first)
