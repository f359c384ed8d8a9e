"""Who is answered, and who is not."""

from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.lookup.questions.keys import handle, question_secret
from p2pship.lookup.questions.shelf import ANSWERED, HEARD_FROM_ONE, SKEW, Shelf, Silence
from p2pship.lookup.questions.wire import Answer, Question, packed
from p2pship.testing.lookup import unsigned_slot

NOW = 1_700_000_000.0
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
OWN, ASKER = "9.9.9.9", "8.8.8.8"
SLOT = unsigned_slot(KEY, b"d" * 32)


class ShelfTests(SynchronousTestCase):
    """A node that publishes one item."""

    def setUp(self) -> None:
        self.shelf = Shelf(NOW)
        self.shelf.set_own([OWN, "2606::9"])
        self.shelf.publish(SLOT, b"item")

    def asked(
        self,
        key: bytes = KEY,
        secret: bytes | None = None,
        host: str = OWN,
        asker: str = ASKER,
        time: float = NOW,
        now: float = NOW,
    ) -> bytes | Silence:
        """Return the item of the answer to a question, or why there is none."""
        question = Question(b"q" * 16, handle(key), packed(host), int(time))
        datagram = question.print(secret if secret is not None else question_secret(key))
        answer = self.shelf.answer(question, datagram, asker, now)
        return answer if isinstance(answer, Silence) else Answer.parse(answer).item

    def test_answered(self) -> None:
        """Who knows the lookup key is answered, at each of the node's addresses."""
        self.assertEqual(self.asked(), b"item")
        self.assertEqual(self.asked(host="2606::9"), b"item")

    def test_handle_only(self) -> None:
        """Who knows the handle alone, as every node of the DHT does, gets nothing."""
        for secret in (handle(KEY), bytes(32), question_secret(OTHER_KEY)):
            self.assertIs(self.asked(secret=secret), Silence.WRONG_MAC)

    def test_passed_on(self) -> None:
        """Who was asked himself, under the same handle, cannot get the item with that question."""
        self.assertIs(self.asked(host="9.9.9.8"), Silence.NOT_TO_US)

    def test_not_held(self) -> None:
        """What is not held, or no more, is not answered."""
        self.assertIs(self.asked(OTHER_KEY), Silence.UNKNOWN)
        self.assertTrue(self.shelf.withdraw(SLOT))
        self.assertTrue(self.shelf.withdraw(SLOT))
        self.assertIs(self.asked(), Silence.UNKNOWN)

    def test_time(self) -> None:
        """A question of another time is an old one that somebody kept."""
        for off in (-SKEW, SKEW):
            self.assertEqual(self.asked(time=NOW + off), b"item")
        for off in (-SKEW - 1, SKEW + 1):
            self.assertIs(self.asked(time=NOW + off), Silence.OLD)

    def test_one_asker(self) -> None:
        """One address, or one IPv6 network, is heard so often; another is not disturbed."""
        for n in range(100):
            self.asked(asker=ASKER)
            self.asked(asker=f"2606:4700::{n:x}")
        self.assertIs(self.asked(), Silence.TOO_OFTEN)
        self.assertIs(self.asked(asker="2606:4700::ffff"), Silence.TOO_OFTEN)
        self.assertEqual(self.asked(asker="2606:4700:0:1::1"), b"item")
        self.assertEqual(self.asked(now=NOW + 2 / HEARD_FROM_ONE.each_second), b"item")

    def test_flood_without_key(self) -> None:
        """Questions from thousands of invented addresses that prove nothing do not use up the answers."""
        for n in range(4000):
            self.asked(secret=b"", asker=f"8.1.{n >> 8}.{n & 255}")
        self.assertEqual(self.asked(), b"item")

    def test_in_anothers_name(self) -> None:
        """Questions that prove nothing, sent in the name of one who knows the key, do not keep that one out."""
        for _ in range(1000):
            self.assertIs(self.asked(secret=b""), Silence.WRONG_MAC)
        self.assertEqual(self.asked(), b"item")

    def test_flood_with_key(self) -> None:
        """However many addresses ask with the key, there are so many answers."""
        answers = [self.asked(asker=f"8.1.{n >> 8}.{n & 255}") for n in range(1000)]
        self.assertEqual(answers.count(b"item"), ANSWERED.burst)

    def test_several_items(self) -> None:
        """Several items under a key are told in turn, with how many they are."""
        self.shelf.publish(unsigned_slot(KEY, b"e" * 32), b"other")
        question = Question(b"q" * 16, handle(KEY), packed(OWN), int(NOW))
        answer = self.shelf.answer(question, question.print(question_secret(KEY)), ASKER, NOW)
        assert isinstance(answer, bytes)
        self.assertEqual(Answer.parse(answer).items, 2)
        self.assertEqual({self.asked(), self.asked()}, {b"item", b"other"})
        self.assertFalse(self.shelf.withdraw(SLOT))
        self.assertEqual(self.asked(), b"other")

    def test_replaced(self) -> None:
        """A slot has its last item."""
        self.shelf.publish(SLOT, b"newer")
        self.assertEqual({self.asked(), self.asked()}, {b"newer"})

    def test_too_long(self) -> None:
        """An item that no answer can carry is refused at once."""
        self.assertRaises(LocalError, self.shelf.publish, SLOT, bytes(961))
        self.assertRaises(LocalError, self.shelf.publish, SLOT, b"")
        self.assertRaises(LocalError, self.shelf.publish, unsigned_slot(b"short", b"d" * 32), b"item")
