"""Tests for p2pship.bearer.framing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.channel import Forged, RecordOpener, RecordSealer
from p2pship.bearer.framing import (
    HEADER_SIZE,
    LARGEST_FRAME,
    BadStream,
    Kind,
    RecordReader,
    datagram_record,
    frame_record,
)
from p2pship.errors import LocalError, RemoteError

KEY = bytes(range(16))
RECORDS = st.lists(st.tuples(st.sampled_from(list(Kind)), st.binary(max_size=300)), max_size=20)


def stream_of(records: list[tuple[Kind, bytes]]) -> bytes:
    """Return records as they go over the stream."""
    write = {Kind.FRAME: frame_record, Kind.DATAGRAM: datagram_record}
    return b"".join(write[kind](body) for kind, body in records)


class WritingTests(TestCase):
    """What goes over the stream."""

    def test_vectors(self) -> None:
        """The octets are those of the reference page."""
        self.assertEqual(frame_record(b"hello"), bytes.fromhex("01000005") + b"hello")
        self.assertEqual(datagram_record(b""), bytes.fromhex("02000000"))
        self.assertEqual(frame_record(bytes(LARGEST_FRAME))[:HEADER_SIZE], bytes.fromhex("01010040"))

    def test_too_long(self) -> None:
        """What is too long for the other side is our bug."""
        self.assertRaises(LocalError, frame_record, bytes(LARGEST_FRAME + 1))
        self.assertRaises(LocalError, datagram_record, bytes(LARGEST_FRAME + 1))


class ReadingTests(TestCase):
    """How the stream is taken apart."""

    @given(RECORDS, st.lists(st.integers(min_value=0, max_value=100)))
    def test_any_pieces(self, records: list[tuple[Kind, bytes]], cuts: list[int]) -> None:
        """However the octets come, the same records come out."""
        stream, reader, got = stream_of(records), RecordReader(), []
        for cut in cuts:
            reader.receive(stream[:cut])
            stream = stream[cut:]
            got += list(reader.records())
        reader.receive(stream)
        got += list(reader.records())
        self.assertEqual((got, reader.waiting), (records, 0))

    def test_byte_at_a_time(self) -> None:
        """One octet at a time will do."""
        records = [(Kind.FRAME, b"one"), (Kind.DATAGRAM, b""), (Kind.FRAME, b"x" * 70)]
        reader, got = RecordReader(), []
        for octet in stream_of(records):
            reader.receive(bytes([octet]))
            got += list(reader.records())
        self.assertEqual(got, records)

    def test_truncated(self) -> None:
        """A record that is cut off anywhere is waited for, not given back."""
        record = frame_record(b"whole")
        for length in range(len(record)):
            reader = RecordReader()
            reader.receive(record[:length])
            self.assertEqual((list(reader.records()), reader.waiting), ([], length))

    @given(st.binary(max_size=200))
    def test_garbage(self, garbage: bytes) -> None:
        """Anything else is refused, and nothing but BadStream comes out."""
        reader = RecordReader(limit=100)
        reader.receive(garbage)
        try:
            for kind, body in reader.records():
                self.assertIn(kind, list(Kind))
                self.assertLessEqual(len(body), 100)
        except BadStream as error:
            self.assertTrue(str(error))

    def test_kinds(self) -> None:
        """Only two kinds exist."""
        for kind in (0, 3, 255):
            reader = RecordReader()
            reader.receive(bytes([kind, 0, 0, 0]))
            self.assertRaises(BadStream, list, reader.records())

    def test_limit(self) -> None:
        """A length above the limit is refused as soon as it is known."""
        reader = RecordReader()
        reader.receive(bytes.fromhex("01010041"))
        self.assertRaises(BadStream, list, reader.records())

    def test_limit_raised(self) -> None:
        """A record that raises the limit does so for the next, though both came together."""
        reader = RecordReader(limit=5)
        reader.receive(frame_record(b"hello") + frame_record(bytes(1000)))
        sizes = []
        for _kind, body in reader.records():
            sizes.append(len(body))
            reader.limit = LARGEST_FRAME
        self.assertEqual(sizes, [5, 1000])

    def test_sealed(self) -> None:
        """With an opener each record is followed by its MAC; octet by octet will do."""
        sealer, reader, got = RecordSealer(KEY), RecordReader(opener=RecordOpener(KEY)), []
        records = [(Kind.FRAME, b"one"), (Kind.DATAGRAM, b""), (Kind.FRAME, b"x" * 70)]
        for octet in b"".join(sealer.seal(stream_of([record])) for record in records):
            reader.receive(bytes([octet]))
            got += list(reader.records())
        self.assertEqual((got, reader.waiting), (records, 0))

    @given(st.binary(max_size=200))
    def test_sealed_garbage(self, garbage: bytes) -> None:
        """Nothing that was not sealed comes out, and no other error than these two."""
        reader = RecordReader(limit=100, opener=RecordOpener(KEY))
        reader.receive(garbage)
        try:
            self.assertEqual(list(reader.records()), [])
        except (BadStream, Forged) as error:
            self.assertIsInstance(error, RemoteError)

    def test_forged(self) -> None:
        """What is not followed by its MAC is refused, and not given back."""
        reader = RecordReader(opener=RecordOpener(KEY))
        reader.receive(RecordSealer(bytes(16)).seal(frame_record(b"one")))
        self.assertRaises(Forged, list, reader.records())

    def test_stop_in_the_middle(self) -> None:
        """Who stops after a record gets the next one later."""
        reader = RecordReader()
        reader.receive(frame_record(b"1") + frame_record(b"2"))
        self.assertEqual(next(reader.records()), (Kind.FRAME, b"1"))
        reader.receive(frame_record(b"3"))
        self.assertEqual([body for _kind, body in reader.records()], [b"2", b"3"])
