"""HIP records in the messages and the zones of ``twisted.names``."""

from __future__ import annotations

from io import BytesIO

import dns.message
import dns.rdatatype
from twisted.names.dns import IN, IEncodableRecord, Message, RRHeader, UnknownRecord
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.lookup.dns.hiprecord import HIPMessage, Record_HIP
from p2pship.lookup.dns.wire import TYPE, BadHIPRecord, HIPRecord

DATA = HIPRecord(3, bytes(range(16)), bytes(64), ("rvs.example.com.",))


def message(ttl: int = 300) -> bytes:
    """Return a message with one HIP record."""
    made = Message(answer=True)
    made.addQuery(b"node.example.com", TYPE, IN)
    made.answers = [RRHeader(b"node.example.com", TYPE, IN, ttl, Record_HIP(DATA, ttl))]
    return made.toStr()


class RecordHIPTests(SynchronousTestCase):
    """A HIP record is a record as others are."""

    def test_interface(self) -> None:
        """It has all that a record that is written and read has."""
        verifyObject(IEncodableRecord, Record_HIP(DATA))

    def test_read_by_another(self) -> None:
        """What is written into a message, another implementation reads."""
        read = dns.message.from_wire(message())
        self.assertEqual(read.answer[0].rdtype, dns.rdatatype.HIP)
        self.assertEqual(HIPRecord.parse(read.answer[0][0].to_wire()), DATA)

    def test_round_trip(self) -> None:
        """What is written into a message is read from it, where the message knows the type."""
        read = HIPMessage()
        read.fromStr(message())
        self.assertEqual(read.answers[0].payload, Record_HIP(DATA, 300))
        self.assertEqual(hash(read.answers[0].payload), hash(Record_HIP(DATA)))
        self.assertIn("HIP", repr(read.answers[0].payload))
        plain = Message()
        plain.fromStr(message())
        self.assertIsInstance(plain.answers[0].payload, UnknownRecord)

    def test_other_types(self) -> None:
        """Records of other types are read as ever."""
        self.assertIs(HIPMessage().lookupRecordType(1), Message().lookupRecordType(1))

    def test_cut_off(self) -> None:
        """A message that is cut off in the record has none; a record that is none is refused."""
        octets = message()
        for length in range(12, len(octets)):
            read = HIPMessage()
            try:
                read.fromStr(octets[:length])
            except EOFError:
                continue
            self.assertEqual(read.answers, [])
        self.assertRaises(BadHIPRecord, Record_HIP().decode, BytesIO(bytes(30)), 30)
        self.assertRaises(EOFError, Record_HIP().decode, BytesIO(bytes(3)), 30)
