"""The messages of the LAN lookup, octet by octet."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.lookup.lan.wire import LONGEST_ITEM, QUESTION_LENGTH, Answer, BadMessage, Question

QUERY_ID = bytes(range(16))
KEY = bytes(range(100, 132))
QUESTION = b"P2PL\x01\x01\x00\x00" + QUERY_ID + KEY + bytes(944)
ANSWER = b"P2PL\x01\x02\x00\x00" + QUERY_ID + b"\x00\x04item"

query_ids = st.binary(min_size=16, max_size=16)
keys = st.binary(min_size=32, max_size=32)
items = st.binary(min_size=1, max_size=LONGEST_ITEM)


class QuestionTests(SynchronousTestCase):
    """A question is its header and padding, 1,000 octets in all."""

    def test_vector(self) -> None:
        """The layout is that of the reference page."""
        self.assertEqual(Question(QUERY_ID, KEY).print(), QUESTION)
        self.assertEqual(Question.parse(QUESTION), Question(QUERY_ID, KEY))

    @given(query_ids, keys)
    def test_round_trip(self, query_id: bytes, key: bytes) -> None:
        """Every question is read as it was printed, and has the one length."""
        printed = Question(query_id, key).print()
        self.assertEqual(len(printed), QUESTION_LENGTH)
        self.assertEqual(Question.parse(printed), Question(query_id, key))

    def test_other_lengths(self) -> None:
        """A question of any other length is none: a short one could get an answer longer than itself."""
        for length in range(QUESTION_LENGTH):
            self.assertRaises(BadMessage, Question.parse, QUESTION[:length])
        self.assertRaises(BadMessage, Question.parse, QUESTION + b"\0")

    def test_padding_is_not_read(self) -> None:
        """What stands in the reserved octets and the padding may get a meaning later, and is ignored."""
        filled = QUESTION[:6] + b"\xff\xff" + QUESTION[8:56] + b"\xff" * 944
        self.assertEqual(Question.parse(filled), Question(QUERY_ID, KEY))

    def test_another_version(self) -> None:
        """Another version, magic or kind is another message."""
        for at in range(6):
            changed = bytearray(QUESTION)
            changed[at] ^= 0x10
            self.assertRaises(BadMessage, Question.parse, bytes(changed))
        self.assertRaises(BadMessage, Question.parse, ANSWER)

    @given(st.binary(max_size=1100))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage gives a RemoteError only."""
        self.assertRaises(BadMessage, Question.parse, garbage)

    def test_wrong_parts(self) -> None:
        """To print a question with parts of other lengths is our bug."""
        self.assertRaises(LocalError, Question(QUERY_ID[1:], KEY).print)
        self.assertRaises(LocalError, Question(QUERY_ID, KEY + b"\0").print)


class AnswerTests(SynchronousTestCase):
    """An answer is a header and an item."""

    def test_vector(self) -> None:
        """The layout is that of the reference page."""
        self.assertEqual(Answer(QUERY_ID, b"item").print(), ANSWER)
        self.assertEqual(Answer.parse(ANSWER), Answer(QUERY_ID, b"item"))

    @given(query_ids, items)
    def test_round_trip(self, query_id: bytes, item: bytes) -> None:
        """Every answer is read as it was printed, and none is longer than a question."""
        printed = Answer(query_id, item).print()
        self.assertLessEqual(len(printed), QUESTION_LENGTH)
        self.assertEqual(Answer.parse(printed), Answer(query_id, item))

    def test_longest(self) -> None:
        """The longest item fits, one octet more is our bug."""
        self.assertLessEqual(len(Answer(QUERY_ID, bytes(LONGEST_ITEM)).print()), QUESTION_LENGTH)
        self.assertRaises(LocalError, Answer(QUERY_ID, bytes(LONGEST_ITEM + 1)).print)
        self.assertRaises(LocalError, Answer(QUERY_ID, b"").print)

    def test_truncated(self) -> None:
        """An answer that was cut or has more behind it is none."""
        for length in range(len(ANSWER)):
            self.assertRaises(BadMessage, Answer.parse, ANSWER[:length])
        self.assertRaises(BadMessage, Answer.parse, ANSWER + b"\0")

    def test_item_lengths(self) -> None:
        """An empty or too long item is not taken."""
        for length in (0, LONGEST_ITEM + 1, 0xFFFF):
            datagram = ANSWER[:24] + length.to_bytes(2, "big") + bytes(length)
            self.assertRaises(BadMessage, Answer.parse, datagram)

    @given(st.binary(max_size=1100))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage gives a RemoteError only."""
        self.assertRaises(BadMessage, Answer.parse, garbage)
        self.assertRaises(BadMessage, Answer.parse, ANSWER[:6] + b"\0" + garbage[:3])
