"""When whom is asked, and whose answer is taken; times in these tests are seconds from the start."""

from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import is_public
from p2pship.lookup.questions.keys import handle, question_secret
from p2pship.lookup.questions.machine import AT_ONCE, EACH_TICK, REPEAT_AFTER, TICK, Inquiry
from p2pship.lookup.questions.targets import MOST_QUESTIONS
from p2pship.lookup.questions.wire import Answer, Question, is_authentic, packed

NOW = 1_700_000_000.0
KEY = b"k" * 32
HOST, PORT = "9.9.9.9", 5568


class InquiryTests(SynchronousTestCase):
    """One search."""

    def setUp(self) -> None:
        ids = count(1)
        self.inquiry = Inquiry(KEY, is_public, lambda length: next(ids).to_bytes(length, "big"))

    def ask(self, at: float = 0.0) -> list[tuple[Question, str, int]]:
        """Return what is asked at a time."""
        return [
            (Question.parse(datagram), host, port) for datagram, host, port in self.inquiry.to_send(NOW + at)
        ]

    def answer(self, question: Question, item: bytes = b"item", items: int = 1) -> bytes | None:
        """Return what is taken of an answer by the one who was asked."""
        return self.inquiry.answer_received(Answer(question.query_id, item, items), HOST, PORT)

    def test_question(self) -> None:
        """A question names the handle and the address that is asked, and is authentic; the key is not in it."""
        self.assertIsNone(self.inquiry.due())
        self.inquiry.found(HOST, PORT)
        self.assertLessEqual(self.inquiry.due() or NOW, NOW)
        [(datagram, host, port)] = self.inquiry.to_send(NOW)
        self.assertEqual((host, port), (HOST, PORT))
        self.assertTrue(is_authentic(datagram, question_secret(KEY)))
        self.assertEqual(
            Question.parse(datagram), Question(b"\1".rjust(16, b"\0"), handle(KEY), packed(HOST), int(NOW))
        )
        self.assertNotIn(KEY, datagram)

    def test_answer(self) -> None:
        """The answer from there is taken once, and nothing is repeated."""
        self.inquiry.found(HOST, PORT)
        [(question, _, _)] = self.ask()
        self.assertEqual(self.answer(question), b"item")
        self.assertIsNone(self.answer(question))
        self.assertEqual(self.ask(REPEAT_AFTER), [])
        self.assertIsNone(self.inquiry.due())

    def test_answer_from_elsewhere(self) -> None:
        """An answer from another host or port, or to another question, is not taken, and keeps the true one's place."""
        self.inquiry.found(HOST, PORT)
        [(question, _, _)] = self.ask()
        true = Answer(question.query_id, b"item")
        self.assertIsNone(self.inquiry.answer_received(true, "9.9.9.8", PORT))
        self.assertIsNone(self.inquiry.answer_received(true, HOST, PORT + 1))
        self.assertIsNone(self.inquiry.answer_received(Answer(b"q" * 16, b"item"), HOST, PORT))
        self.assertEqual(self.answer(question), b"item")

    def test_same_item(self) -> None:
        """What two addresses of a node answer is told once."""
        self.inquiry.found(HOST, PORT)
        self.inquiry.found(HOST, PORT + 1)
        (one, _, _), (other, _, _) = self.ask()
        self.assertEqual(self.answer(one), b"item")
        self.assertIsNone(self.inquiry.answer_received(Answer(other.query_id, b"item"), HOST, PORT + 1))

    def test_repeated(self) -> None:
        """Who does not answer is asked once more, with an id of its own; an answer to either is taken."""
        self.inquiry.found(HOST, PORT)
        [(first, _, _)] = self.ask()
        self.assertEqual(self.inquiry.due(), NOW + REPEAT_AFTER)
        self.assertEqual(self.ask(REPEAT_AFTER / 2), [])
        [(second, _, _)] = self.ask(REPEAT_AFTER)
        self.assertNotEqual(first.query_id, second.query_id)
        self.assertEqual(self.ask(10), [])
        self.assertIsNone(self.inquiry.due())
        self.assertEqual(self.answer(first), b"item")
        self.assertIsNone(self.answer(second))

    def test_several_items(self) -> None:
        """Who says that there is another item is asked for it at once, and no third time."""
        self.inquiry.found(HOST, PORT)
        [(first, _, _)] = self.ask()
        self.assertEqual(self.answer(first, b"one", 3), b"one")
        self.assertLessEqual(self.inquiry.due() or NOW, NOW)
        [(second, _, _)] = self.ask(0.01)
        self.assertEqual(self.answer(second, b"two", 3), b"two")
        self.assertEqual(self.ask(10), [])

    def test_paced(self) -> None:
        """A burst, then some at each tick, and repetitions after the last; never more than all may be."""
        for n in range(50):
            self.inquiry.found(f"8.{n}.8.8", PORT)
        self.assertEqual(len(self.ask()), AT_ONCE)
        self.assertEqual(self.ask(TICK / 2), [])
        self.assertEqual(self.inquiry.due(), NOW + TICK)
        self.assertEqual(len(self.ask(TICK)), EACH_TICK)
        asked = AT_ONCE + EACH_TICK
        for n in range(2, 100):
            asked += len(self.ask(n * TICK))
        self.assertEqual(asked, MOST_QUESTIONS)
        self.assertIsNone(self.inquiry.due())

    def test_late_address(self) -> None:
        """An address that is found late, when the burst is spent, is asked at the next tick."""
        for n in range(AT_ONCE):
            self.inquiry.found(f"8.{n}.8.8", PORT)
        self.ask()
        self.inquiry.found(HOST, PORT)
        self.assertEqual([host for _, host, _ in self.ask(TICK)], [HOST])
