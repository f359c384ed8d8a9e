"""Which of those who claim a name may be dialled, by direct calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import Locator
from p2pship.identity.keys import sign
from p2pship.identity.succession import succeeded
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.identity.verify import papers_from
from p2pship.lookup.candidate import Found
from p2pship.lookup.claims import Claims
from tests.lookup.people import LOOPBACK, NOW, PRIVATE, PUBLIC, Person

UNPROVEN, VERIFIED = NameGrade.UNPROVEN, NameGrade.VERIFIED


def found(
    person: Person,
    grade: NameGrade = UNPROVEN,
    *,
    device: int = 0,
    sequence: int = 1,
    locators: Sequence[Locator] = (PUBLIC,),
    issued: float = NOW,
) -> Found:
    """Return a device of a person as it was found."""
    record = person.record(locators, sequence, device, issued=issued)
    papers = papers_from(person.statement(), record, NOW)
    return Found(papers, tuple(locators), Verdict(grade, Acquaintance.STRANGER), "memory")


class ClaimsTests(SynchronousTestCase):
    """The rules of the module's theory of operation, one by one."""

    def setUp(self) -> None:
        self.claims = Claims()
        self.bob, self.impostor = Person(devices=2), Person()

    def test_proven_at_once(self) -> None:
        """A proven key's devices are dialled as they come."""
        first, second = found(self.bob, VERIFIED), found(self.bob, VERIFIED, device=1)
        self.assertEqual(self.claims.received(first), [first])
        self.assertEqual(self.claims.received(second), [second])
        self.assertEqual(self.claims.settle(), [])
        self.assertFalse(self.claims.ambiguous)

    def test_one_unproven(self) -> None:
        """One unproven key alone is dialled when the collecting ends, and its other devices as they come."""
        first, second = found(self.bob), found(self.bob, device=1)
        self.assertEqual(self.claims.received(first), [])
        self.assertEqual(self.claims.settle(), [first])
        self.assertEqual(self.claims.received(second), [second])

    def test_two_unproven(self) -> None:
        """Two unproven keys: nobody is dialled, neither now nor later."""
        self.claims.received(found(self.bob))
        self.claims.received(found(self.impostor))
        self.assertEqual(self.claims.settle(), [])
        self.assertTrue(self.claims.ambiguous)
        self.assertEqual(self.claims.received(found(self.bob, device=1)), [])
        self.assertEqual(self.claims.settle(), [])

    def test_one_gave_way(self) -> None:
        """A key that has signed the other one as its successor makes nothing ambiguous, and is not dialled."""
        old, new = found(self.impostor), found(self.bob)
        entry = succeeded(
            partial(sign, self.impostor.identity_key), self.impostor.key, self.bob.aor, self.bob.key
        )
        statement = replace(new.papers.statement, succession=(entry,))
        new = replace(new, papers=replace(new.papers, statement=statement))
        for order in ((old, new), (new, old)):
            claims = Claims()
            self.assertEqual([claims.received(each) for each in order], [[], []])
            self.assertEqual((claims.settle(), claims.ambiguous), ([new], False))
            self.assertFalse(claims.too_late(self.impostor.key))
            self.assertTrue(claims.too_late(Person().key))

    def test_proven_among_unproven(self) -> None:
        """With a proven key the unproven ones are nobody's business."""
        self.claims.received(found(self.impostor))
        true = found(self.bob, VERIFIED)
        self.assertEqual(self.claims.received(true), [true])
        self.assertEqual(self.claims.settle(), [])
        self.assertEqual(self.claims.received(found(Person())), [])
        self.assertFalse(self.claims.ambiguous)

    def test_proven_ends_ambiguity(self) -> None:
        """A key that proves itself late is dialled, and the name is ambiguous no more."""
        self.claims.received(found(self.impostor))
        self.claims.received(found(Person()))
        self.claims.settle()
        true = found(self.bob, VERIFIED)
        self.assertEqual(self.claims.received(true), [true])
        self.assertFalse(self.claims.ambiguous)

    def test_proven_after_unproven_was_dialled(self) -> None:
        """When a key proves itself after another was dialled, no more devices of that other are."""
        self.claims.received(found(self.bob))
        self.claims.settle()
        true = found(self.impostor, VERIFIED)
        self.assertEqual(self.claims.received(true), [true])
        self.assertEqual(self.claims.received(found(self.bob, device=1)), [])

    def test_late_unproven(self) -> None:
        """An unproven key that comes late changes nothing for the one that was alone."""
        self.claims.received(found(self.bob))
        self.claims.settle()
        self.assertEqual(self.claims.received(found(self.impostor)), [])
        self.assertFalse(self.claims.ambiguous)
        second = found(self.bob, device=1)
        self.assertEqual(self.claims.received(second), [second])

    def test_nobody(self) -> None:
        """As long as nobody claims the name, there is nothing to settle."""
        self.assertEqual(self.claims.settle(), [])
        self.assertFalse(self.claims.ambiguous)
        first = found(self.bob)
        self.claims.received(first)
        self.assertEqual(self.claims.settle(), [first])

    def test_newest(self) -> None:
        """Of one device the highest sequence counts, in whatever order they come."""
        new = found(self.bob, sequence=7, locators=(PRIVATE,))
        self.claims.received(found(self.bob, sequence=5))
        self.claims.received(new)
        self.claims.received(found(self.bob, sequence=6))
        self.assertEqual(self.claims.settle(), [new])

    def test_sequences_of_others(self) -> None:
        """Another key's sequence for the same device, however high, pushes nothing out."""
        thief = Person()
        thief.devices = self.bob.devices
        true = found(self.bob, VERIFIED, sequence=1)
        self.assertEqual(self.claims.received(found(thief, sequence=999)), [])
        self.assertEqual(self.claims.received(true), [true])

    def test_told_again_with_more(self) -> None:
        """A device is told again if there is more to dial or a newer record, were it with less, but not the same again."""
        self.claims.received(found(self.bob, VERIFIED, sequence=5))
        self.assertEqual(self.claims.received(found(self.bob, VERIFIED, sequence=5)), [])
        self.assertEqual(self.claims.received(found(self.bob, VERIFIED, sequence=4, locators=(PRIVATE,))), [])
        newer = found(self.bob, VERIFIED, sequence=6, locators=())
        self.assertEqual(self.claims.received(newer), [newer])
        moved = found(self.bob, VERIFIED, sequence=7, locators=(PRIVATE,))
        self.assertEqual(self.claims.received(moved), [moved])

    def test_same_sequence_from_elsewhere(self) -> None:
        """The same sequence over another path adds its locators, in the order of the longer list."""
        self.claims.received(found(self.bob, sequence=5, locators=(PUBLIC,)))
        self.claims.received(found(self.bob, sequence=5, locators=(PRIVATE, PUBLIC)))
        self.claims.received(found(self.bob, sequence=5, locators=(LOOPBACK,)))
        (device,) = self.claims.settle()
        self.assertEqual(device.locators, (PRIVATE, PUBLIC, LOOPBACK))

    def test_renewed(self) -> None:
        """Of the same sequence the record counts that holds longer, whatever came last, with the locators of all."""
        first = found(self.bob, VERIFIED, sequence=5)
        later = found(self.bob, VERIFIED, sequence=5, locators=(), issued=NOW + 60)
        self.claims.received(first)
        self.assertEqual(self.claims.received(later), [replace(later, locators=first.locators)])
        self.assertEqual(self.claims.received(first), [])
