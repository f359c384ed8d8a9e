"""Questions and answers, octet by octet."""

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.lookup.questions.keys import handle, question_secret
from p2pship.lookup.questions.wire import (
    LONGEST_ITEM,
    QUESTION_LENGTH,
    Answer,
    BadMessage,
    Question,
    is_authentic,
    packed,
)

KEY = bytes(range(100, 132))
SECRET = hmac.digest(KEY, b"p2pship question v1\x01", "sha256")  # RFC 5869 §2.3, one block
HANDLE = hashlib.sha256(b"p2pship handle v1\0" + KEY).digest()[:20]
QUERY_ID = bytes(range(16))
TIME = 1_700_000_000
HEAD = b"P2PQ\x01\x01\x00\x00" + QUERY_ID + HANDLE + packed("192.0.2.7") + TIME.to_bytes(4, "big")
DATAGRAM = HEAD + hmac.digest(SECRET, HEAD, "sha256")[:16] + bytes(QUESTION_LENGTH - 80)
QUESTION = Question(QUERY_ID, HANDLE, packed("192.0.2.7"), TIME)
ANSWER = b"P2PQ\x01\x02\x01\x00" + QUERY_ID + b"\x00\x04item"

questions = st.builds(
    Question,
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=20, max_size=20),
    st.ip_addresses().map(str).map(packed),
    st.integers(0, (1 << 32) - 1),
)


class KeyTests(SynchronousTestCase):
    """What is derived of a lookup key."""

    def test_vectors(self) -> None:
        """The handle is a truncated hash, the secret one block of HKDF."""
        self.assertEqual(handle(KEY), HANDLE)
        self.assertEqual(question_secret(KEY), SECRET)

    def test_addresses(self) -> None:
        """IPv4 addresses are IPv4-mapped."""
        self.assertEqual(packed("192.0.2.7"), bytes(10) + b"\xff\xff\xc0\x00\x02\x07")
        self.assertEqual(packed("2001:db8::1"), b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01")


class QuestionTests(SynchronousTestCase):
    """A question is its header, a MAC and padding, 1,000 octets in all."""

    def test_vector(self) -> None:
        """The layout is that of the reference page."""
        self.assertEqual(QUESTION.print(SECRET), DATAGRAM)
        self.assertEqual(Question.parse(DATAGRAM), QUESTION)
        self.assertTrue(is_authentic(DATAGRAM, SECRET))

    @given(questions, st.binary(min_size=32, max_size=32))
    def test_round_trip(self, question: Question, secret: bytes) -> None:
        """Every question is read as it was printed, and has the one length."""
        printed = question.print(secret)
        self.assertEqual(len(printed), QUESTION_LENGTH)
        self.assertEqual(Question.parse(printed), question)
        self.assertTrue(is_authentic(printed, secret))

    def test_another_key(self) -> None:
        """Who knows another lookup key, or the handle only, makes no authentic question."""
        for secret in (question_secret(b"o" * 32), HANDLE, bytes(32), b""):
            self.assertFalse(is_authentic(QUESTION.print(secret), SECRET))

    def test_changed(self) -> None:
        """Whatever is changed in the header or the MAC is noticed."""
        for at in range(80):
            changed = bytearray(DATAGRAM)
            changed[at] ^= 1
            self.assertFalse(is_authentic(bytes(changed), SECRET))

    def test_other_lengths(self) -> None:
        """A question of any other length is none: a short one could get an answer longer than itself."""
        for length in range(QUESTION_LENGTH):
            self.assertRaises(BadMessage, Question.parse, DATAGRAM[:length])
        self.assertRaises(BadMessage, Question.parse, DATAGRAM + b"\0")

    def test_another_version(self) -> None:
        """Another version, magic or kind is another message."""
        for at in range(6):
            changed = bytearray(DATAGRAM)
            changed[at] ^= 0x10
            self.assertRaises(BadMessage, Question.parse, bytes(changed))

    @given(st.one_of(st.binary(max_size=1100), st.binary(min_size=1000, max_size=1000)))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage gives a RemoteError only."""
        self.assertRaises(BadMessage, Question.parse, garbage)

    def test_wrong_parts(self) -> None:
        """To print a question with parts of other lengths is our bug."""
        for wrong in (
            Question(QUERY_ID[1:], HANDLE, QUESTION.asked, TIME),
            Question(QUERY_ID, HANDLE + b"\0", QUESTION.asked, TIME),
            Question(QUERY_ID, HANDLE, b"\x7f\0\0\x01", TIME),
            Question(QUERY_ID, HANDLE, QUESTION.asked, -1),
        ):
            self.assertRaises(LocalError, wrong.print, SECRET)


class AnswerTests(SynchronousTestCase):
    """An answer is a header and an item."""

    def test_vector(self) -> None:
        """The layout is that of the reference page."""
        self.assertEqual(Answer(QUERY_ID, b"item").print(), ANSWER)
        self.assertEqual(Answer.parse(ANSWER), Answer(QUERY_ID, b"item", 1))

    @given(
        st.binary(min_size=16, max_size=16),
        st.binary(min_size=1, max_size=LONGEST_ITEM),
        st.integers(1, 255),
    )
    def test_round_trip(self, query_id: bytes, item: bytes, items: int) -> None:
        """Every answer is read as it was printed, and none is as long as a question."""
        printed = Answer(query_id, item, items).print()
        self.assertLess(len(printed), QUESTION_LENGTH)
        self.assertEqual(Answer.parse(printed), Answer(query_id, item, items))

    def test_many_items(self) -> None:
        """More items than can be counted are as many as can be."""
        self.assertEqual(Answer.parse(Answer(QUERY_ID, b"item", 1000).print()).items, 255)

    def test_limits(self) -> None:
        """What does not fit is our bug."""
        self.assertRaises(LocalError, Answer(QUERY_ID, bytes(LONGEST_ITEM + 1)).print)
        self.assertRaises(LocalError, Answer(QUERY_ID, b"").print)
        self.assertRaises(LocalError, Answer(QUERY_ID[1:], b"item").print)

    def test_truncated(self) -> None:
        """An answer that was cut or has more behind it is none."""
        for length in range(len(ANSWER)):
            self.assertRaises(BadMessage, Answer.parse, ANSWER[:length])
        self.assertRaises(BadMessage, Answer.parse, ANSWER + b"\0")

    def test_item_lengths(self) -> None:
        """An empty or too long item is not taken, nor an answer that says there is none."""
        for length in (0, LONGEST_ITEM + 1, 0xFFFF):
            self.assertRaises(
                BadMessage, Answer.parse, ANSWER[:24] + length.to_bytes(2, "big") + bytes(length)
            )
        self.assertRaises(BadMessage, Answer.parse, ANSWER[:6] + b"\0" + ANSWER[7:])

    @given(st.binary(max_size=1100))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage gives a RemoteError only."""
        self.assertRaises(BadMessage, Answer.parse, garbage)
        self.assertRaises(BadMessage, Answer.parse, ANSWER[:5] + b"\1" + garbage)
