"""When items are put into the DHT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.journal import Journal
from p2pship.lookup.candidate import Slot
from p2pship.lookup.mainline.mutable import (
    AT_ONCE,
    PUT_TIME,
    RETRY,
    TAKEN_BACK,
    MutableItems,
    expanded,
    salt,
)

ROUND = 15 * 60.0
KEY = Ed25519PrivateKey.from_private_bytes(b"s" * 32)


def slot(number: int = 0) -> Slot:
    """Return one of some slots."""
    return Slot(bytes([number]) * 32, KEY.public_key().public_bytes_raw(), KEY)


class FakeSession:
    """Keeps what is put."""

    def __init__(self) -> None:
        self.puts: list[tuple[bytes, bytes]] = []
        self.ends: list[Callable[[int], Any]] = []

    def put_item(
        self,
        expanded_key: bytes,
        publication_key: bytes,
        salt: bytes,
        item: bytes,
        ended: Callable[[int], object],
    ) -> None:
        self.puts.append((salt, item))
        self.ends.append(ended)

    @property
    def items(self) -> list[bytes]:
        """The items that were put."""
        return [item for _, item in self.puts]


class MutableItemsTests(SynchronousTestCase):
    """What is published is put when it must be, and only then."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.session = FakeSession()
        self.items = MutableItems(self.clock, self.session, Journal())
        self.addCleanup(self.items.stop)

    def publish(self, item: bytes, number: int = 0, nodes: int = 8) -> None:
        """Publish, and end the puts that this begins."""
        self.items.publish(slot(number), item)
        self.end(nodes)

    def end(self, nodes: int = 8) -> None:
        """End the puts under way."""
        ends, self.session.ends = self.session.ends, []
        for ended in ends:
            ended(nodes)

    def test_keys(self) -> None:
        """The salt changes with the lookup key and does not tell it; the expanded key is that of RFC 8032 §7.1, test 1."""
        self.publish(b"one")
        self.assertEqual(self.session.puts, [(salt(bytes(32)), b"one")])
        self.assertNotEqual(salt(bytes(32)), salt(b"\1" * 32))
        seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
        self.assertEqual(
            expanded(Ed25519PrivateKey.from_private_bytes(seed))[:32].hex(),
            "307c83864f2833cb427a2ef1c00a013cfdff2768d980c0a3a520f006904de94f",
        )

    def test_rounds(self) -> None:
        """Rounds of a publisher have the item put every 45 minutes, each time the newest."""
        for number in range(7):
            self.publish(b"%d" % number)
            self.clock.advance(ROUND)
        self.assertEqual(self.session.items, [b"0", b"3", b"6"])

    def test_news(self) -> None:
        """What is published between rounds is put at once."""
        self.publish(b"one")
        self.clock.advance(60)
        self.publish(b"two")
        self.assertEqual(self.session.items, [b"one", b"two"])

    def test_moved(self) -> None:
        """News are put at once also when they come as late as a round, if our addresses have changed."""
        self.publish(b"one")
        self.clock.advance(ROUND)
        self.items.moved()
        self.publish(b"two")
        self.clock.advance(ROUND)
        self.publish(b"three")
        self.assertEqual(self.session.items, [b"one", b"two"])

    def test_news_while_putting(self) -> None:
        """News that come while the last item is being put are put after it, and of several only the last."""
        self.items.publish(slot(), b"one")
        self.items.publish(slot(), b"two")
        self.items.publish(slot(), b"three")
        self.assertEqual(self.session.items, [b"one"])
        self.end()
        self.assertEqual(self.session.items, [b"one", b"three"])

    def test_no_node_took_it(self) -> None:
        """What no node took is put again after a while; by then it may be newer."""
        self.publish(b"one", nodes=0)
        self.clock.advance(RETRY)
        self.end(0)
        self.clock.advance(RETRY)
        self.end()
        self.clock.advance(RETRY)
        self.assertEqual(self.session.items, [b"one"] * 3)

    def test_no_word(self) -> None:
        """A put that never ends is given up, and put again; its late end changes nothing."""
        self.items.publish(slot(), b"one")
        self.clock.advance(PUT_TIME)
        self.clock.advance(RETRY)
        self.assertEqual(self.session.items, [b"one", b"one"])
        self.session.ends[0](0)
        self.session.ends[1](8)
        self.clock.advance(RETRY)
        self.assertEqual(self.session.items, [b"one", b"one"])

    def test_not_all_at_once(self) -> None:
        """Of many some are put at a time."""
        for number in range(10):
            self.items.publish(slot(number), b"%d" % number)
        self.assertEqual(len(self.session.puts), AT_ONCE)
        for _ in range(3):
            self.end()
        self.assertEqual(len(self.session.puts), 10)

    def test_withdrawn(self) -> None:
        """What is taken back is put empty, once; then nothing more is put."""
        self.publish(b"one")
        done = self.items.withdraw(slot())
        self.assertNoResult(done)
        self.end()
        self.successResultOf(done)
        self.assertEqual(self.session.items, [b"one", TAKEN_BACK])
        self.successResultOf(self.items.withdraw(slot()))
        self.clock.advance(10 * RETRY)
        self.assertEqual(len(self.session.puts), 2)

    def test_published_again(self) -> None:
        """What is published while the slot still waits to be emptied takes the place of that: nobody waits for it any longer."""
        self.publish(b"one")
        for number in range(1, AT_ONCE + 1):
            self.items.publish(slot(number), b"other")
        done = self.items.withdraw(slot())
        self.assertNoResult(done)
        self.items.publish(slot(), b"two")
        self.successResultOf(done)
        self.end()
        self.assertEqual((self.session.items[-1], TAKEN_BACK in self.session.items), (b"two", False))

    def test_withdrawal_fails(self) -> None:
        """A withdrawal that no node takes has been tried, and ends."""
        self.publish(b"one")
        done = self.items.withdraw(slot())
        self.end(0)
        self.successResultOf(done)

    def test_stopped(self) -> None:
        """Stopping ends what is waited for, and leaves no timer."""
        self.publish(b"one", 1, nodes=0)
        self.publish(b"two", 2)
        done = self.items.withdraw(slot(2))
        self.items.stop()
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])
