"""Tests of server-sent events."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.http.eventwire import LONGEST_EVENT, BadEvents, EventReader
from p2pship.lookup.http.wire import EVENT_NAME, parse_event, print_event
from tests.lookup.http.publishers import Publisher
from tests.scale import scaled

STREAM = b""": a comment

event: slot
data: first
data: second

data

id: 7
retry: 1000
event: live
data:

event: nothing

data:no space
unknown: x

data: not ended"""
"After the examples of HTML Living Standard 9.2.6."

EVENTS = [("slot", "first\nsecond"), ("message", ""), ("live", ""), ("message", "no space")]

LINE_ENDS = (b"\n", b"\r", b"\r\n")


def read(*pieces: bytes) -> list[tuple[str, str]]:
    """Return the events of a stream that comes in these pieces."""
    reader = EventReader()
    return [event for piece in pieces for event in reader.received(piece)]


class EventReaderTests(SynchronousTestCase):
    """Octets to events."""

    def test_pieces(self) -> None:
        """However lines end, and wherever the stream is cut, the events are the same."""
        for end in LINE_ENDS:
            stream = STREAM.replace(b"\n", end)
            self.assertEqual(read(stream), EVENTS)
            self.assertEqual(read(*(stream[each : each + 1] for each in range(len(stream)))), EVENTS)
            for cut in range(len(stream)):
                self.assertEqual(read(stream[:cut], b"", stream[cut:]), EVENTS)

    def test_slot(self) -> None:
        """What a server prints is read: the longest slot as well."""
        slot = Publisher().signed(bytes(2048))
        ((kind, data),) = read(print_event(slot.print()))
        self.assertEqual((kind, parse_event(data)), (EVENT_NAME, slot))

    def test_too_long(self) -> None:
        """A line, or an event, that does not end is refused before it fills the memory."""
        with self.assertRaises(BadEvents):
            read(b"data: " + bytes(LONGEST_EVENT))
        with self.assertRaises(BadEvents):
            read(*([b"x" * 100] * LONGEST_EVENT))
        with self.assertRaises(BadEvents):
            read(*([b"data: x\n"] * LONGEST_EVENT))
        with self.assertRaises(BadEvents):
            read(*([b"data\n"] * (LONGEST_EVENT + 1)))

    def test_not_utf8(self) -> None:
        """What is not UTF-8 is refused."""
        with self.assertRaises(BadEvents):
            read(b"data: \xff\n")

    @settings(max_examples=scaled(300, 5000), deadline=None)
    @given(
        st.lists(st.one_of(st.binary(max_size=50), st.sampled_from([b"data: x\n", b"\r", b"\n", b"\n\n"])))
    )
    def test_garbage(self, pieces: list[bytes]) -> None:
        """Anything gives events or is refused; cut differently it gives the same."""
        results = []
        for cut in (pieces, [b"".join(pieces)]):
            try:
                results.append(read(*cut))
            except BadEvents:
                results.append([("refused", "")])
        self.assertEqual(results[0], results[1])
