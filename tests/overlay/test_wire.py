"""Tests for :mod:`p2pship.overlay.wire`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.overlay.wire import (
    KINDS,
    LINK,
    MAX_DATA,
    MAX_HELLO,
    MAX_PAYLOAD,
    MAX_REASON,
    Ack,
    BadFrame,
    Bye,
    Ending,
    Frame,
    Hello,
    Nack,
    Parcel,
    Payload,
    Ping,
    Pong,
    Received,
    Refused,
    StreamClose,
    StreamData,
    StreamOpen,
    StreamReset,
    StreamWindow,
    encode,
    parse,
    short,
)

u8, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 32, 64))
octets = st.binary(max_size=300)
reasons = st.text(st.characters(codec="utf-8"), max_size=MAX_REASON // 4)
peers = st.integers(1, 0xFFFF)

ABOUT_PEERS: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Hello, octets),
    st.just(Refused()),
    st.builds(Received, u64),
    st.builds(Bye, u8, reasons),
    st.builds(Payload, u8, u32, octets),
    st.builds(Ack, u32, octets),
    st.builds(Nack, u32, reasons),
    st.builds(StreamOpen, u32, u8, u32, octets),
    st.builds(StreamData, u32, octets),
    st.builds(StreamWindow, u32, u32),
    st.builds(StreamClose, u32),
    st.builds(StreamReset, u32, reasons),
)
ABOUT_LINKS: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Ping, u32), st.builds(Pong, u32), st.builds(Bye, u8, reasons)
)

EXAMPLES: dict[str, Parcel] = {
    "010001a0": Parcel(1, 0, Hello(b"\xa0")),
    "020001": Parcel(1, 0, Refused()),
    "030001 0000000000000005": Parcel(1, 0, Received(5)),
    "040000 00000007": Parcel(LINK, 0, Ping(7)),
    "050000 00000007": Parcel(LINK, 0, Pong(7)),
    "060000 01 627965": Parcel(LINK, 0, Bye(Ending.ENDED, "bye")),
    "100001 0000000000000001 00 00000001 484f": Parcel(1, 1, Payload(0, 1, b"HO")),
    "110001 0000000000000002 00000001": Parcel(1, 2, Ack(1, b"")),
    "120001 0000000000000003 00000001 6e6f": Parcel(1, 3, Nack(1, "no")),
    "200003 0000000000000001 00000001 01 00010000 68": Parcel(3, 1, StreamOpen(1, 1, 65536, b"h")),
    "210003 0000000000000002 00000001 ff": Parcel(3, 2, StreamData(1, b"\xff")),
    "220003 0000000000000003 00000001 00008000": Parcel(3, 3, StreamWindow(1, 32768)),
    "230003 0000000000000004 00000001": Parcel(3, 4, StreamClose(1)),
    "240003 0000000000000005 00000001": Parcel(3, 5, StreamReset(1, "")),
}
"The frames of docs/reference/overlay.md."


class FrameTests(SynchronousTestCase):
    """Octets to frames and back."""

    def test_examples(self) -> None:
        """The examples of the documentation are what is sent and understood."""
        for text, parcel in EXAMPLES.items():
            data = bytes.fromhex(text)
            self.assertEqual(parse(data), parcel)
            self.assertEqual(encode(parcel.frame, parcel.peer, parcel.number), data)

    def test_all_kinds(self) -> None:
        """There is an example of every kind."""
        self.assertEqual({type(parcel.frame) for parcel in EXAMPLES.values()}, set(KINDS.values()))

    @given(ABOUT_PEERS, peers, st.integers(1, 2**64 - 1))
    def test_round_trip(self, frame: Frame, peer: int, number: int) -> None:
        """What is sent to a peer is what is received."""
        counted = number if frame.LAYOUT.counted else 0
        self.assertEqual(parse(encode(frame, peer, number)), Parcel(peer, counted, frame))

    @given(ABOUT_LINKS)
    def test_round_trip_of_links(self, frame: Frame) -> None:
        """What is sent about the link is what is received."""
        self.assertEqual(parse(encode(frame, LINK)), Parcel(LINK, 0, frame))

    @given(st.binary(max_size=64))
    def test_garbage(self, data: bytes) -> None:
        """Garbage is a frame or BadFrame, and nothing else."""
        try:
            parcel = parse(data)
        except BadFrame:
            return
        self.assertEqual(encode(parcel.frame, parcel.peer, parcel.number), data)

    def test_truncated(self) -> None:
        """A frame cut anywhere before its variable part is refused."""
        for text, parcel in EXAMPLES.items():
            data = bytes.fromhex(text)
            layout = parcel.frame.LAYOUT
            fixed = 3 + 8 * layout.counted + layout.fields.size
            for length in range(fixed):
                self.assertRaises(BadFrame, parse, data[:length])

    def test_too_long(self) -> None:
        """A variable part above its limit is refused, and never sent."""
        for frame, octets in (
            (Payload(0, 1, b""), MAX_PAYLOAD),
            (Ack(1, b""), MAX_PAYLOAD),
            (StreamData(1, b""), MAX_DATA),
            (Nack(1, ""), MAX_REASON),
            (Hello(b""), MAX_HELLO - 3),
            (Refused(), 0),
        ):
            data = encode(frame, 1, 1)
            if octets:
                parse(data + b"a" * octets)
            self.assertRaises(BadFrame, parse, data + b"a" * (octets + 1))
        self.assertRaises(LocalError, encode, Payload(0, 1, bytes(MAX_PAYLOAD + 1)), 1, 1)

    def test_largest(self) -> None:
        """The largest payload and answer fit the frame of every link."""
        for frame in (Payload(0, 1, bytes(MAX_PAYLOAD)), Ack(1, bytes(MAX_PAYLOAD))):
            self.assertLessEqual(len(encode(frame, 1, 1)), 65_600)

    def test_number_that_cannot_be(self) -> None:
        """A counted frame has a number; the link has pings, a peer has none."""
        for text in ("110001 0000000000000000 00000001", "040001 00000007", "020000", "ff0001", "000000"):
            self.assertRaises(BadFrame, parse, bytes.fromhex(text))

    def test_does_not_fit(self) -> None:
        """A value out of its range is our bug."""
        self.assertRaises(LocalError, encode, Ack(2**32, b""), 1, 1)
        self.assertRaises(LocalError, encode, Refused(), 2**16)

    def test_reason_not_text(self) -> None:
        """A reason has to be UTF-8."""
        self.assertRaises(BadFrame, parse, bytes.fromhex("060000 01 ff"))

    @given(st.text())
    def test_short(self, reason: str) -> None:
        """Any reason can be cut to fit."""
        encode(Nack(1, short(reason)), 1, 1)
