"""What a node says of where it is: soon after it moved, and no longer once it has stopped."""

from __future__ import annotations

from twisted.internet import reactor

from p2pship.identity.place import Place, day_of
from p2pship.identity.record import verify_record
from p2pship.identity.seal import open_item
from tests.node.calling import BOB, NodeTestCase
from tests.scale import ALONE

SOON = 1.0 if ALONE else 5.0
"Seconds from a change of addresses to its publication, which would else be hours later."


class PublishingTests(NodeTestCase):
    """Bob's node."""

    def published(self) -> set[str]:
        """Return where it says that it can be dialled, for whoever asks today; nothing if it says nothing."""
        now = reactor.seconds()
        place = Place.of_name(BOB)
        items = self.nodes.directory.under(place.lookup_key(day_of(now)))
        records = [verify_record(open_item(place, day_of(now), item).record, now) for item in items]
        return {str(locator) for record in records for locator in record.locators}

    async def test_moved(self) -> None:
        """New addresses are published within a second, in place of the old ones; when the node stops, nothing is left."""
        await self.phone(BOB)
        bearer = self.nodes.bearers["bob"]
        before = self.published()
        self.assertEqual(before, set(map(str, bearer.locators())))
        bearer.move()
        await self.eventually(lambda: self.published() != before, seconds=SOON)
        self.assertEqual(self.published(), set(map(str, bearer.locators())))
        await self.nodes.stop_one("bob")
        self.assertEqual(self.nodes.directory.items, {})
