"""Tests of what friends send each other about third people."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.cbor import encode
from p2pship.relations.introducewire import Ask, BadIntroduce, Check, Give, Message, TakenBack, read, write

serials = st.lists(st.binary(min_size=8, max_size=8), max_size=5).map(tuple)
messages = st.one_of(
    st.sampled_from([Ask("carol@example.com"), Ask("a@b")]),
    st.builds(Give, st.binary(max_size=100)),
    st.builds(TakenBack, serials),
    st.builds(Check, serials),
)


class IntroduceWireTests(SynchronousTestCase):
    """Octets to messages and back."""

    @given(messages)
    def test_round_trip(self, message: Message) -> None:
        """What is written is read as it was."""
        self.assertEqual(read(write(message)), message)

    @given(messages)
    def test_truncated(self, message: Message) -> None:
        """A message that is cut short anywhere is refused."""
        whole = write(message)
        for length in range(len(whole)):
            self.assertRaises(BadIntroduce, read, whole[:length])

    @given(st.binary(max_size=100))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage raises nothing else than BadIntroduce."""
        try:
            read(garbage)
        except BadIntroduce:
            return

    def test_wrong(self) -> None:
        """What is too long, of another form, or no canonical name is refused."""
        wrong: list[object] = [
            [2, 1, "a@b"],
            [True, 1, "a@b"],
            [1, True, "a@b"],
            [1, 1, "A@B"],
            [1, 1, "nobody"],
            [1, 1, b"a@b"],
            [1, 2, bytes(1025)],
            [1, 3, bytes(7)],
            [1, 4, bytes(8 * 65)],
            [1, 5, b""],
            [1, 2],
            {},
        ]
        for value in wrong:
            self.assertRaises(BadIntroduce, read, encode(value))
