"""Tests of the lookup on rendezvous servers, with real servers on loopback."""

from __future__ import annotations

import time
from pathlib import Path

from twisted.internet.task import deferLater
from zope.interface.verify import verifyObject

from p2pship.interfaces import ILookup, ISearch
from p2pship.lookup.candidate import Question
from p2pship.lookup.http.protocol import MOST_FOLLOWED
from p2pship.lookup.http.remote import ServerFailed
from p2pship.lookup.http.wire import MOST_SLOTS, print_slots
from p2pship.lookup.selftest import SWALLOWED
from tests.lookup.http.lookupcase import LookupCase, address, response
from tests.lookup.http.publishers import ITEM, LOOKUP_KEY, Publisher, lookup_key
from tests.lookup.recording import RecordingReceiver

BOB = Publisher(1)
QUESTION = Question(LOOKUP_KEY)
NOBODY = "http://127.0.0.1:9"
"Where nobody listens."


class HTTPLookupTests(LookupCase):
    """Publishing and finding."""

    async def test_interface(self) -> None:
        """It is a lookup, and its searches are searches."""
        lookup = self.lookup(NOBODY)
        self.assertTrue(verifyObject(ILookup, lookup))
        for search in (
            lookup.find(QUESTION, RecordingReceiver()),
            lookup.follow(QUESTION, RecordingReceiver()),
        ):
            self.assertTrue(verifyObject(ISearch, search))

    async def test_found(self) -> None:
        """What one node publishes, another one finds, knows from where, and what replaces it, until it is taken back."""
        server = await self.server()
        bob, alice = self.lookup(address(server)), self.lookup(address(server))
        self.assertEqual(await self.found(alice, QUESTION), [])
        await bob.publish(BOB.slot(), ITEM)
        receiver = await self.asked(alice, QUESTION)
        self.assertEqual([each.item for each in receiver.candidates], [ITEM])
        (candidate,) = receiver.candidates
        self.assertEqual((candidate.lookup, candidate.source), ("http", address(server)))
        self.assertEqual(candidate.signer, BOB.key)
        self.assertFalse(candidate.on_link or candidate.over_loopback)
        await bob.publish(BOB.slot(), b"news")
        self.assertEqual(await self.found(alice, QUESTION), [b"news"])
        await bob.withdraw(BOB.slot())
        self.assertEqual(await self.found(alice, QUESTION), [])

    async def test_withdrawn_before_published(self) -> None:
        """What was never published is taken back without asking anybody."""
        await self.lookup(NOBODY).withdraw(BOB.slot())

    async def test_withdrawn_beside_a_dead_server(self) -> None:
        """Taking back is not over before every server has answered: who stops then stops everything."""
        server = await self.server()
        lookup = self.lookup(NOBODY, address(server))
        await lookup.publish(BOB.slot(), ITEM)
        await self.eventually(lambda: lookup.servers()[0]["trouble"] != "")
        await self.assertFailure(lookup.withdraw(BOB.slot()), ServerFailed)
        await lookup.stop()
        self.assertEqual(await self.found(self.lookup(address(server)), QUESTION), [])

    async def test_clock_set_back(self) -> None:
        """A node whose clock was ahead when it published replaces that all the same: the server says what it has."""
        server = await self.server()
        lookup = self.lookup(address(server))
        ahead = BOB.signed(b"from the future", time.time() + 600)
        await lookup._upkeeps[0].remote.put(ahead)
        await lookup.publish(BOB.slot(), ITEM)
        self.assertEqual(await self.found(lookup, QUESTION), [ITEM])

    async def test_clock_set_far_back(self) -> None:
        """A node whose clock was two hours ahead, so that no server took anything, does not go on from there."""
        lookup = self.lookup(address(await self.server()))
        lookup._last_sequence = int((time.time() + 7200) * 1000)
        await lookup.publish(BOB.slot(), ITEM)
        self.assertEqual(await self.found(lookup, QUESTION), [ITEM])

    async def test_squatters(self) -> None:
        """Who fills a lookup key before a person comes hides nobody whose publication key the searcher knows."""
        server = await self.server()
        lookup = self.lookup(address(server))
        for number in range(MOST_SLOTS):
            await lookup.publish(Publisher(100 + number).slot(), b"squatter")
        await lookup.publish(BOB.slot(), ITEM)
        self.assertNotIn(ITEM, await self.found(lookup, QUESTION))
        self.assertIn(ITEM, await self.found(lookup, Question(LOOKUP_KEY, known=(bytes(32), BOB.key))))

    async def test_one_dead(self) -> None:
        """A server that is dead keeps nobody from being found through another one, nor from publishing there."""
        server = await self.server()
        lookup = self.lookup(NOBODY, address(server))
        await lookup.publish(BOB.slot(), ITEM)
        self.assertEqual(await self.found(lookup, QUESTION), [ITEM])
        await self.eventually(lambda: any(NOBODY in fact for fact in self.facts))

    async def test_all_dead(self) -> None:
        """If no server answers, the search says so, and publishing fails."""
        lookup = self.lookup(NOBODY, "http://127.0.0.1:10")
        why = await self.fails(lookup, QUESTION)
        for server in (NOBODY, "http://127.0.0.1:10"):
            self.assertRegex(why, f"{server}: .*refused")
        await self.assertFailure(lookup.publish(BOB.slot(), ITEM), ServerFailed)

    async def test_restarted(self) -> None:
        """A server that was down gets what was published meanwhile as soon as it is up again, without another word."""
        state = Path(self.mktemp())
        state.mkdir()
        server = await self.server(state)
        lookup, port = self.lookup(address(server)), server.addresses()[0][1]
        await lookup.publish(BOB.slot(lookup_key(1)), ITEM)
        await server.stopService()
        await self.assertFailure(lookup.publish(BOB.slot(), ITEM), ServerFailed)
        await self.server(state, port=port)
        await self.eventually(lambda: any("again" in fact for fact in self.facts))
        self.assertEqual(await self.found(lookup, QUESTION), [ITEM])
        self.assertEqual(await self.found(lookup, Question(lookup_key(1))), [ITEM])

    async def test_swallowed(self) -> None:
        """A server that takes what is published and does not tell it is noticed when its own publisher asks."""
        puppet, where = self.puppet(
            lambda method, path: response(print_slots(()) if method == "GET" else b"")
        )
        lookup = self.lookup(where)
        await lookup.publish(BOB.slot(), ITEM)
        await deferLater(self.clock, 0, lambda: None)  # it is no longer on its way
        self.assertEqual(await self.found(lookup, Question(LOOKUP_KEY, known=(BOB.key,))), [])
        self.assertEqual([fact for fact in self.facts if SWALLOWED in fact], self.facts)
        self.assertEqual(len(self.facts), 1)
        self.assertEqual([method for method, _ in puppet.asked], ["PUT", "GET"])

    async def test_many(self) -> None:
        """A hundred slots published at once are all there."""
        server = await self.server()
        lookup = self.lookup(address(server))
        published = [lookup.publish(BOB.slot(lookup_key(number)), ITEM) for number in range(100)]
        for each in published:
            await each
        self.assertEqual(await self.found(lookup, Question(lookup_key(99))), [ITEM])

    async def test_cancelled(self) -> None:
        """A search that was cancelled tells nothing, and does not speak ill of the server."""
        server = await self.server()
        lookup, receiver = self.lookup(address(server)), RecordingReceiver()
        await lookup.publish(BOB.slot(), ITEM)
        search = lookup.find(QUESTION, receiver)
        search.cancel()
        search.cancel()
        self.assertEqual(await self.found(lookup, QUESTION), [ITEM])
        self.assertEqual((receiver.candidates, receiver.ends), ([], []))

    async def test_stopped(self) -> None:
        """Stopping ends what is under way, and says so."""
        _, where = self.puppet(lambda method, path: None)
        lookup, searching, following = self.lookup(where), RecordingReceiver(), RecordingReceiver()
        lookup.find(QUESTION, searching)
        lookup.follow(QUESTION, following)
        published = lookup.publish(BOB.slot(), ITEM)
        await lookup.stop()
        self.assertEqual(
            [str(each.ends[0]) for each in (searching, following)], ["the lookup was stopped"] * 2
        )
        await self.assertFailure(published, ServerFailed)

    async def test_most_followed(self) -> None:
        """So many lookup keys are followed; for others the lookup says that it has to be asked."""
        lookup = self.lookup(NOBODY)
        followings = [lookup.follow(QUESTION, RecordingReceiver()) for _ in range(MOST_FOLLOWED)]
        self.assertIsNone(lookup.follow(QUESTION, RecordingReceiver()))
        assert followings[0] is not None
        followings[0].cancel()
        self.assertIsNotNone(lookup.follow(QUESTION, RecordingReceiver()))
