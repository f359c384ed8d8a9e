"""What is asked and answered on the local network, by direct calls."""

from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.lookup.lan.machine import (
    MOST_ANSWERS,
    MOST_FROM_ONE_SOURCE,
    QUESTION_TIME,
    SENDINGS,
    SOURCE_RATE,
    Queries,
    Query,
    Shelf,
)
from p2pship.lookup.lan.wire import Answer, BadMessage, Question
from p2pship.testing.lookup import unsigned_slot

NOW = 1_700_000_000.0
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
DEVICE, OTHER_DEVICE = b"d" * 32, b"e" * 32
ASKER = "192.0.2.9"


def question(key: bytes = KEY) -> bytes:
    """Return a question's datagram."""
    return Question(b"q" * 16, key).print()


def counting() -> Queries:
    """Return a machine whose query ids count from 1."""
    ids = count(1)
    return Queries(lambda length: next(ids).to_bytes(length, "big"))


class ShelfTests(SynchronousTestCase):
    """What is held is answered."""

    def setUp(self) -> None:
        self.shelf = Shelf(NOW)

    def items(self, times: int = 1, key: bytes = KEY) -> list[bytes | None]:
        """Return the items with which so many questions are answered."""
        answers = [self.shelf.answer(question(key), ASKER, NOW) for _ in range(times)]
        return [Answer.parse(answer).item if answer else None for answer in answers]

    def test_answer(self) -> None:
        """Who holds the key answers with the item and the question's id; who does not is silent."""
        self.shelf.publish(unsigned_slot(KEY, DEVICE), b"item")
        answer = self.shelf.answer(question(), ASKER, NOW)
        self.assertEqual(answer, Answer(b"q" * 16, b"item").print())
        self.assertIsNone(self.shelf.answer(question(OTHER_KEY), ASKER, NOW))

    def test_replace_and_withdraw(self) -> None:
        """A slot holds its last item until that is withdrawn."""
        self.shelf.publish(unsigned_slot(KEY, DEVICE), b"old")
        self.shelf.publish(unsigned_slot(KEY, DEVICE), b"new")
        self.assertEqual(self.items(), [b"new"])
        self.shelf.withdraw(unsigned_slot(KEY, DEVICE))
        self.shelf.withdraw(unsigned_slot(KEY, DEVICE))
        self.assertEqual(self.items(), [None])

    def test_turns(self) -> None:
        """Several items under one key take turns, so that one question never gets two answers."""
        self.shelf.publish(unsigned_slot(KEY, DEVICE), b"one")
        self.shelf.publish(unsigned_slot(KEY, OTHER_DEVICE), b"two")
        self.assertEqual(self.items(3), [b"one", b"two", b"one"])

    def test_rate(self) -> None:
        """One address is answered as often as the rate allows; questions for what is not held cost it nothing."""
        self.shelf.publish(unsigned_slot(KEY, DEVICE), b"item")
        self.items(100, OTHER_KEY)
        answered = [item for item in self.items(200) if item]
        self.assertEqual(len(answered), SOURCE_RATE.burst)

    def test_never_longer_than_the_question(self) -> None:
        """The longest item is answered with fewer octets than were asked with; a longer one is refused at once."""
        self.shelf.publish(unsigned_slot(KEY, DEVICE), bytes(960))
        answer = self.shelf.answer(question(), ASKER, NOW)
        assert answer is not None
        self.assertLessEqual(len(answer), len(question()))
        self.assertRaises(LocalError, self.shelf.publish, unsigned_slot(KEY, DEVICE), bytes(961))
        self.assertRaises(LocalError, self.shelf.publish, unsigned_slot(KEY, DEVICE), b"")
        self.assertRaises(LocalError, self.shelf.publish, unsigned_slot(b"short", DEVICE), b"item")

    def test_short_questions(self) -> None:
        """What is shorter than a question gets no answer."""
        self.shelf.publish(unsigned_slot(KEY, DEVICE), b"item")
        for length in (0, 56, 999):
            self.assertRaises(BadMessage, self.shelf.answer, question()[:length], ASKER, NOW)


class QueriesTests(SynchronousTestCase):
    """Questions under way, their repetitions, and their answers."""

    def setUp(self) -> None:
        self.queries = counting()
        self.query = self.queries.begin(KEY, NOW)

    def answer(
        self,
        item: bytes = b"item",
        query: Query | None = None,
        over_loopback: bool = False,
        host: str = "192.0.2.7",
    ) -> bytes | None:
        """Give an answer and return the item that is handed on."""
        datagram = Answer((query or self.query).query_id, item).print()
        taken = self.queries.answer_received(datagram, host, over_loopback)
        return taken[1] if taken else None

    def test_sendings(self) -> None:
        """A question is sent at its times, then is over."""
        sent = []
        now = NOW
        while (due := self.queries.due()) is not None:
            now = due
            to_send, over = self.queries.timer_fired(now)
            sent += [now - NOW for _ in to_send]
        self.assertEqual([round(at, 3) for at in sent], list(SENDINGS))
        self.assertEqual(over, [self.query])
        self.assertAlmostEqual(now - NOW, QUESTION_TIME, 3)

    def test_slow_answer(self) -> None:
        """Who had to ask three times for our link-layer address, once a second, is still heard; and a fifth question may be the first to arrive."""
        sent = 0
        while (due := self.queries.due()) is not None and due < NOW + 2.2:
            sent += len(self.queries.timer_fired(due)[0])
        self.assertEqual(sent, 5)
        self.assertEqual(self.answer(), b"item")

    def test_datagram(self) -> None:
        """What is sent is the question, with an id of its own."""
        other = self.queries.begin(OTHER_KEY, NOW)
        self.assertEqual(Question.parse(self.query.datagram), Question(self.query.query_id, KEY))
        self.assertNotEqual(self.query.query_id, other.query_id)

    def test_answer(self) -> None:
        """An answer belongs to the question whose id it has."""
        other = self.queries.begin(OTHER_KEY, NOW)
        taken = self.queries.answer_received(Answer(other.query_id, b"item").print(), "192.0.2.7", False)
        self.assertEqual(taken, (other, b"item"))

    def test_wrong_id(self) -> None:
        """An answer that nobody asked for is dropped."""
        stranger = Answer(b"?" * 16, b"item").print()
        self.assertIsNone(self.queries.answer_received(stranger, "127.0.0.1", True))

    def test_late(self) -> None:
        """An answer to a question that is over or was cancelled is dropped."""
        self.queries.end(self.query)
        self.queries.end(self.query)
        self.assertIsNone(self.answer())
        self.assertIsNone(self.queries.due())

    def test_repeated(self) -> None:
        """The same item is handed on once; once more when it then comes over loopback; and not the other way round."""
        self.assertEqual(self.answer(), b"item")
        self.assertIsNone(self.answer())
        self.assertEqual(self.answer(over_loopback=True), b"item")
        self.assertIsNone(self.answer(over_loopback=True))
        self.assertEqual(self.answer(b"other", over_loopback=True), b"other")
        self.assertIsNone(self.answer(b"other"))

    def test_bounded(self) -> None:
        """Who floods with different answers is not listened to for ever, and drowns out nobody at another address."""
        taken = [self.answer(str(number).encode()) for number in range(3 * MOST_FROM_ONE_SOURCE)]
        self.assertEqual(len([item for item in taken if item]), MOST_FROM_ONE_SOURCE)
        self.assertEqual(self.answer(b"honest", host="192.0.2.8"), b"honest")

    def test_bounded_in_all(self) -> None:
        """Whatever addresses they come from, only so many answers are taken."""
        taken = [
            self.answer(str(number).encode(), host=f"2001:db8::{number:x}")
            for number in range(2 * MOST_ANSWERS)
        ]
        self.assertEqual(len([item for item in taken if item]), MOST_ANSWERS)

    def test_garbage(self) -> None:
        """A question, or half an answer, is no answer."""
        answer = Answer(self.query.query_id, b"item").print()
        for datagram in (self.query.datagram, answer[:-1]):
            self.assertRaises(BadMessage, self.queries.answer_received, datagram, "192.0.2.7", False)

    def test_wrong_key(self) -> None:
        """To ask with a key of another length is our bug."""
        self.assertRaises(LocalError, self.queries.begin, b"short", NOW)
