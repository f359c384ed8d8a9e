"""The finder that remembers, in front of one that finds what the test says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from p2pship.address import Locator
from p2pship.identity.papers import Papers
from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.identity.verify import papers_from
from p2pship.interfaces import IFinder, IFinding, IFindReceiver, IIdentity, ITrustPolicy
from p2pship.lookup.cache import HEAD_START, MOST_DEVICES, MOST_PEOPLE, CachingFinder
from p2pship.lookup.candidate import Answer, Asked, FindOutcome, Found
from p2pship.network import Interface
from p2pship.testing.network import StaticNetwork
from tests.lookup.people import BOB, NOW, PRIVATE, PUBLIC, Person, RecordingFindReceiver

ASKED = (Asked("memory", Answer.COMPLETED, 0.5),)


@implementer(IFinding)
class ToldSearch:
    """A search that finds what it is told."""

    def __init__(self, receiver: IFindReceiver) -> None:
        self.receiver = receiver
        self.cancelled = False

    def so_far(self) -> FindOutcome:
        """Say that it has asked."""
        return FindOutcome(ASKED, 0)

    def cancel(self) -> None:
        """Remember it."""
        self.cancelled = True


@implementer(IFinder)
class ToldFinder:
    """A finder whose searches find what they are told."""

    def __init__(self) -> None:
        self.searches: list[ToldSearch] = []
        self.forgotten: list[tuple[str, bytes]] = []

    def find(self, aor: str, own: IIdentity, receiver: IFindReceiver) -> IFinding:
        """Begin a search."""
        self.searches.append(ToldSearch(receiver))
        return self.searches[-1]

    def forget(self, aor: str, device_key: bytes) -> None:
        """Remember it."""
        self.forgotten.append((aor, device_key))


@implementer(IIdentity)
class Own:
    """One of our own identities, of which only the name is of interest here."""

    key = certificate = statement = revocations = b""
    chain: tuple[bytes, ...] = ()
    owner = True
    device = None

    def __init__(self, aor: str) -> None:
        self.aor = aor

    def sign(self, data: bytes) -> bytes:
        """Sign with nothing."""
        return data


ALICE = Own("alice@example.com")
KNOWN = Verdict(NameGrade.KNOWN, Acquaintance.CONTACT)


@implementer(ITrustPolicy)
class ToldTrust:
    """A policy whose verdicts come when the test says them."""

    def __init__(self) -> None:
        self.asked: list[Deferred[Verdict]] = []

    def judge(self, papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Let the test answer."""
        self.asked.append(Deferred())
        return self.asked[-1]

    def wants_chain(self, authority: bytes) -> bool:
        """Trust no authority."""
        return False


class CachingFinderTests(SynchronousTestCase):
    """What is told from memory, and what is news."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.behind = ToldFinder()
        self.network = StaticNetwork()
        self.trust = ToldTrust()
        self.finder = CachingFinder(self.clock, self.behind, self.network, self.trust)
        self.bob = Person(devices=2)

    def found(
        self,
        device: int = 0,
        sequence: int = 1,
        locators: Sequence[Locator] = (PUBLIC,),
        person: Person | None = None,
        issued: float = NOW,
    ) -> Found:
        """Return a device of Bob as the finder behind finds it."""
        person = person or self.bob
        record = person.record(locators, sequence, device, issued=issued)
        papers = papers_from(person.statement(), record, NOW)
        return Found(papers, tuple(locators), Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER), "memory")

    def find(self, aor: str = BOB, own: Own = ALICE) -> RecordingFindReceiver:
        """Begin a search, and wait until what is kept was told."""
        self.receiver = RecordingFindReceiver()
        self.search = self.finder.find(aor, own, self.receiver)
        self.clock.advance(HEAD_START)
        return self.receiver

    def told(self, *founds: Found) -> list[Found]:
        """Have the search find these, and return all that it told."""
        for found in founds:
            self.behind.searches[-1].receiver.device_found(found)
        return self.receiver.found

    def end(self, **how: Any) -> FindOutcome:
        """Have the search end, in such a way."""
        self.behind.searches[-1].receiver.find_ended(FindOutcome(ASKED, 0, **how))
        return self.receiver.outcome

    def remember(self, *founds: Found) -> None:
        """Have these found in a search that has ended."""
        self.find()
        self.told(*founds)
        self.end()

    def test_interfaces(self) -> None:
        """It is a finder, and gives searches."""
        verifyObject(IFinder, self.finder)
        self.find()
        verifyObject(IFinding, self.search)
        verifyObject(ITrustPolicy, self.trust)

    def test_first_time(self) -> None:
        """What is not known is passed on as it is found, and so is the outcome."""
        self.assertEqual(self.find().found, [])
        device = self.found()
        self.assertEqual(self.told(device), [device])
        self.assertEqual(self.end(), FindOutcome(ASKED, 1))

    def test_second_time(self) -> None:
        """What was found is told again; the same found again is no news, and counts once."""
        device = self.found()
        self.remember(device)
        self.assertEqual(self.find().found, [device])
        self.assertEqual(self.told(device), [device])
        self.assertEqual(self.end(), FindOutcome(ASKED, 1))

    def test_shorter_form(self) -> None:
        """Who is found with all locators keeps them when the same is found, or pushed, in the form for the wide area."""
        full, public = self.found(locators=(PRIVATE, PUBLIC)), self.found(locators=())
        self.remember(full)
        self.finder.keep((ALICE.aor, BOB), ALICE, public)
        self.assertEqual([found.locators for found in self.find().found], [full.locators])
        older = self.found(locators=(), issued=NOW - 600)
        self.finder.keep((ALICE.aor, BOB), ALICE, older)
        self.assertEqual(self.finder.expiry(ALICE.aor, BOB), full.papers.record.expires)
        newer = self.found(sequence=2, locators=())
        self.finder.keep((ALICE.aor, BOB), ALICE, newer)
        self.end()
        self.assertEqual([found.locators for found in self.find().found], [()])

    def test_head_start(self) -> None:
        """What a lookup says now comes before what is kept; what it has said is not told from memory too."""
        old, other = self.found(), self.found(device=1)
        new = self.found(sequence=2, locators=(PRIVATE,))
        self.remember(old, other)
        receiver = RecordingFindReceiver()
        self.finder.find(BOB, ALICE, receiver)
        self.clock.advance(HEAD_START * 0.9)
        self.assertEqual(receiver.found, [])
        self.behind.searches[-1].receiver.device_found(new)
        self.assertEqual(receiver.found, [new])
        self.clock.advance(HEAD_START)
        self.assertEqual(receiver.found, [new, other])

    def test_played_again(self) -> None:
        """An old record that somebody plays again does not take the place of a newer one: where the device is now is told, and kept."""
        newer, old = self.found(sequence=2), self.found(locators=(PRIVATE,))
        self.remember(newer)
        self.finder.find(BOB, ALICE, receiver := RecordingFindReceiver())
        self.behind.searches[-1].receiver.device_found(old)
        self.assertEqual(receiver.found, [newer])
        self.assertEqual(self.finder.keep((ALICE.aor, BOB), ALICE, old), newer)
        self.assertEqual(self.finder.kept((ALICE.aor, BOB)), [newer])

    def test_gave_way(self) -> None:
        """What a device said with a key that gave way is told, but not kept in place of what it says with the newer one."""
        newer = self.found()
        old = replace(newer, verdict=Verdict(NameGrade.CHANGED, Acquaintance.STRANGER, outdated=True))
        self.remember(newer)
        self.assertEqual(self.finder.keep((ALICE.aor, BOB), ALICE, old), old)
        self.assertEqual(self.finder.kept((ALICE.aor, BOB)), [newer])

    def test_ended_within_the_head_start(self) -> None:
        """If the lookups have nothing to say, as when none works, what is kept is told before the end."""
        self.remember(self.found())
        receiver = RecordingFindReceiver()
        self.finder.find(BOB, ALICE, receiver)
        self.behind.searches[-1].receiver.find_ended(FindOutcome((), 0))
        self.assertEqual((len(receiver.found), receiver.outcome.found), (1, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_news(self) -> None:
        """Another device, or more locators of one, are news."""
        device, other = self.found(), self.found(device=1)
        moved = self.found(sequence=2, locators=(PRIVATE,))
        self.remember(device)
        self.find()
        self.assertEqual(self.told(other, moved, moved), [device, other, moved])
        self.assertEqual(self.end().found, 2)
        self.assertEqual(self.find().found, [moved, other])

    def test_no_longer_listed(self) -> None:
        """A device that the person has left or revoked is not told from memory once a newer statement was found."""
        left, stays = self.found(), self.found(device=1)
        self.remember(left, stays)
        del self.bob.devices[0]
        papers = papers_from(self.bob.statement(2), self.bob.record((PUBLIC,), 2, version=2), NOW)
        new = replace(stays, papers=papers)
        receiver = RecordingFindReceiver()
        self.finder.find(BOB, ALICE, receiver)
        self.behind.searches[-1].receiver.device_found(new)
        self.clock.advance(HEAD_START)
        self.assertEqual(receiver.found, [new])

    def test_verdict_expired(self) -> None:
        """Nor is one whose name was verified by a certificate that has expired since."""
        found = self.found()
        self.remember(replace(found, verdict=replace(found.verdict, until=NOW + 60)))
        self.assertEqual(len(self.find().found), 1)
        self.clock.advance(60)
        self.assertEqual(self.find().found, [])

    def test_expired(self) -> None:
        """A device whose record has expired is not told from memory."""
        self.remember(self.found())
        self.clock.advance(RECORD_LIFETIME - 1)
        self.assertEqual(len(self.find().found), 1)
        self.clock.advance(1)
        self.assertEqual(self.find().found, [])

    def test_network_changed(self) -> None:
        """When our own addresses have changed, what was found before is not told from memory."""
        self.remember(self.found())
        self.network.change(Interface("wlan0", 3, (("10.1.0.1", 16),), loopback=False, multicast=True))
        self.assertEqual(self.find().found, [])

    def test_for_whom(self) -> None:
        """What was found, and judged, for one of our own identities is not told to another."""
        self.remember(self.found())
        self.assertEqual(self.find(own=Own("carol@example.com")).found, [])
        self.assertEqual(self.find(aor="dave@example.com").found, [])

    def test_forgotten(self) -> None:
        """A device that was dialled in vain is not told from memory again."""
        device, other = self.found(), self.found(device=1)
        self.remember(device, other)
        self.finder.forget(BOB, device.papers.record.device_key)
        self.finder.forget("dave@example.com", other.papers.record.device_key)
        self.assertEqual([aor for aor, _key in self.behind.forgotten], [BOB, "dave@example.com"])
        self.assertEqual(self.find().found, [other])

    def test_forgotten_during_a_search(self) -> None:
        """If it is dialled in vain while the search is under way, what the search finds of it is told after all."""
        device = self.found()
        self.remember(device)
        self.find()
        self.finder.forget(BOB, device.papers.record.device_key)
        self.assertEqual(self.told(device), [device, device])
        self.assertEqual(self.end().found, 1)

    def test_ambiguous(self) -> None:
        """If several keys now claim the name, nobody is dialled from memory from then on."""
        self.remember(self.found())
        self.find()
        self.assertFalse(self.end(ambiguous=True).ambiguous)
        self.assertEqual(self.find().found, [])
        self.assertTrue(self.end(ambiguous=True).ambiguous)

    def test_doubted(self) -> None:
        """If nothing that was published is believed any more, whoever is kept is dialled all the same."""
        self.remember(self.found())
        self.assertEqual(len(self.find().found), 1)
        self.assertFalse(self.end(doubted=True).doubted)
        self.find(aor="dave@example.com")
        self.assertTrue(self.end(doubted=True).doubted)

    def test_judged_again(self) -> None:
        """Who has to be judged anew is told with the new verdict once that is known; and what a search found meanwhile stays."""
        device, other = self.found(), self.found(device=1)
        self.remember(device, other)
        self.finder.judge_again(ALICE.aor, "dave@example.com")
        self.finder.judge_again(ALICE.aor, BOB)
        self.assertEqual((len(self.trust.asked), self.find().found), (2, []))
        newer = self.told(self.found(sequence=2))[0]
        self.end()
        for judging in self.trust.asked:
            judging.callback(KNOWN)
        self.assertEqual(self.find().found, [newer, replace(other, verdict=KNOWN)])

    def test_judged_again_and_changed(self) -> None:
        """Somebody with another key than the confirmed one is dialled from memory no more; nor who cannot be judged."""
        self.remember(self.found(), self.found(device=1))
        self.finder.judge_again("", BOB)
        self.trust.asked[0].callback(Verdict(NameGrade.CHANGED, Acquaintance.STRANGER))
        self.trust.asked[1].errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.find().found, [])

    def test_everybody_judged_again(self) -> None:
        """When everybody has to be judged anew, as when an authority is no longer trusted, nothing old is dialled."""
        self.remember(self.found())
        self.finder.judge_again("carol@example.com", "")
        self.assertEqual(len(self.find().found), 1)
        self.finder.judge_again(ALICE.aor, "")
        self.assertEqual((self.trust.asked, self.find().found), ([], []))

    def test_cancelled(self) -> None:
        """Cancelling ends the search behind, and nothing is told any more."""
        self.remember(self.found())
        receiver = RecordingFindReceiver()
        search = self.finder.find(BOB, ALICE, receiver)
        search.cancel()
        search.cancel()
        self.clock.advance(1)
        self.assertTrue(self.behind.searches[-1].cancelled)
        self.assertEqual((receiver.found, receiver.outcomes), ([], []))

    def test_cancelled_by_the_receiver(self) -> None:
        """A receiver that has enough with the first device is told no second."""
        self.remember(self.found(), self.found(device=1))

        class Satisfied(RecordingFindReceiver):
            search: IFinding

            def device_found(self, found: Found) -> None:
                super().device_found(found)
                self.search.cancel()

        receiver = Satisfied()
        receiver.search = self.finder.find(BOB, ALICE, receiver)
        self.clock.advance(HEAD_START)
        self.assertEqual((len(receiver.found), receiver.outcomes), (1, []))
        receiver = Satisfied()
        receiver.search = self.finder.find(BOB, ALICE, receiver)
        self.behind.searches[-1].receiver.find_ended(FindOutcome((), 0))
        self.assertEqual((len(receiver.found), receiver.outcomes), (1, []))

    def test_bounded(self) -> None:
        """Neither people nor the devices of one are kept without end."""
        device = self.found()
        for number in range(2 * MOST_PEOPLE):
            self.find(f"p{number}@example.com")
            self.told(device)
            self.end()
        kept = [len(self.find(f"p{number}@example.com").found) for number in range(2 * MOST_PEOPLE)]
        self.assertEqual(sum(kept), MOST_PEOPLE)
        self.remember(*(self.found(person=Person()) for _ in range(MOST_DEVICES + 3)))
        self.assertEqual(len(self.find().found), MOST_DEVICES)
