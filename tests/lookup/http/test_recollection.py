"""A server is started again with nothing, while a node runs."""

from __future__ import annotations

from p2pship.lookup.candidate import Question
from p2pship.lookup.http import recollection
from tests.lookup.http.lookupcase import LookupCase, address
from tests.lookup.http.publishers import ITEM, LOOKUP_KEY, Publisher, lookup_key
from tests.lookup.recording import RecordingReceiver

BOB, CAROL = Publisher(1), Publisher(2)


class RecollectionTests(LookupCase):
    """Bob publishes, and follows Carol, of whom nothing is there."""

    async def test_begun_anew(self) -> None:
        """What he has published is there again soon, though he announces nothing."""
        self.patch(recollection, "EARLIEST", 0.05)
        self.patch(recollection, "LATEST", 0.1)
        server = await self.server()
        where, port = address(server), server.addresses()[0][1]
        bob, alice = self.lookup(where), self.lookup(where)
        for number in range(6):
            await bob.publish(BOB.slot(lookup_key(number)), ITEM)
        bob.follow(Question(LOOKUP_KEY), RecordingReceiver())
        (following,) = bob._followings
        await self.eventually(lambda: following._streams[0].open)
        await server.stopService()
        server = await self.server(port=port)
        held = bob._upkeeps[0]._held
        before = {each.sequence for each in held.values()}
        await self.eventually(lambda: not before & {each.sequence for each in held.values()})
        for number in range(6):
            self.assertEqual(await self.found(alice, Question(lookup_key(number))), [ITEM])

    async def test_not_forgotten(self) -> None:
        """Where all is there, nothing is put."""
        self.patch(recollection, "EARLIEST", 0.0)
        self.patch(recollection, "LATEST", 0.0)
        server = await self.server()
        bob = self.lookup(address(server))
        await bob.publish(BOB.slot(), ITEM)
        (upkeep,), (asked,) = bob._upkeeps, bob._recollections
        asked.doubt()
        await self.eventually(lambda: asked._timer is None and bool(asked._asking and asked._asking.called))
        self.assertEqual(upkeep._put_again_at, 0.0)
