"""The data of HIP resource records, octet by octet, and beside what dnspython makes of it."""

from __future__ import annotations

import struct

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.identity.hit import hit_of
from p2pship.identity.keys import new_p256, spki
from p2pship.lookup.dns.wire import (
    LONGEST_KEY,
    LONGEST_NAME,
    MOST_SERVERS,
    BadHIPRecord,
    HIPRecord,
    hip_record,
)

RFC_EXAMPLE = (
    "2 200100107B1A74DF365639CC39F1D578 "
    "AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p9+LrV4e19WzK00+CI6zBCQTdtWsuxKbWIy87UOoJTwkUs7lBu+Upr1gsNrut79ry"
    "ra+bSRGQb1slImA8YVJyuIDsj7kwzG7jnERNqnWxZ48AWkskmdHaVDP4BcelrTI3rMXdXF5D "
    "rvs1.example.com. rvs2.example.com."
)
"The third example of RFC 8005 §7."

HIT = bytes(range(16))
DATA = b"\x10\x03\x00\x02" + HIT + b"xy" + b"\x03rvs\x07example\x03com\x00" + b"\x01b\x00"
RECORD = HIPRecord(3, HIT, b"xy", ("rvs.example.com.", "b."))

labels = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=5).map(lambda parts: ".".join(parts) + ".")
records = st.builds(
    HIPRecord,
    st.integers(0, 255),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=1, max_size=LONGEST_KEY),
    st.lists(names, max_size=MOST_SERVERS).map(tuple),
)


def by_dnspython(text: str) -> bytes:
    """Return the data of what a zone file says, as another implementation writes it."""
    made = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.HIP, text)
    octets: bytes | None = made.to_wire()
    assert octets is not None
    return octets


class HIPRecordTests(SynchronousTestCase):
    """A HIP record is read and printed as RFC 8005 says."""

    def test_layout(self) -> None:
        """The layout is that of RFC 8005 §5."""
        self.assertEqual(RECORD.print(), DATA)
        self.assertEqual(HIPRecord.parse(DATA), RECORD)

    def test_example_of_the_rfc(self) -> None:
        """The example of RFC 8005 §7 is read, printed and written as another implementation does."""
        data = by_dnspython(RFC_EXAMPLE)
        record = HIPRecord.parse(data)
        self.assertEqual(record.servers, ("rvs1.example.com.", "rvs2.example.com."))
        self.assertEqual(record.print(), data)
        self.assertEqual(record.text(), RFC_EXAMPLE)

    @given(records)
    def test_round_trip(self, record: HIPRecord) -> None:
        """Every record is read as it was printed, from octets and from a zone file."""
        self.assertEqual(HIPRecord.parse(record.print()), record)
        self.assertEqual(by_dnspython(record.text()), record.print())

    def test_own_key(self) -> None:
        """The record of a device carries its HIT, which is that of its key."""
        key = spki(new_p256())
        record = hip_record(hit_of(key), key, ("rvs.example.com.",))
        HIPRecord.parse(record.print()).check()

    def test_hit_of_another_key(self) -> None:
        """A HIT that is not made of the key, or of a key of which none can be made, is not believed."""
        key, other = spki(new_p256()), spki(new_p256())
        data = by_dnspython(RFC_EXAMPLE)  # its HIT is one of HIPv1
        for record in (
            hip_record(hit_of(other), key),
            HIPRecord.parse(data),
            HIPRecord(1, HIT, b"dsa"),
            HIPRecord(3, HIT, b"short"),
        ):
            self.assertRaises(BadHIPRecord, record.check)

    def test_truncated(self) -> None:
        """A record that is cut off anywhere but between its names is none."""
        whole = {len(DATA) - 3, len(DATA) - 3 - 17}
        for length in set(range(len(DATA))) - whole:
            self.assertRaises(BadHIPRecord, HIPRecord.parse, DATA[:length])
        for length in whole:
            self.assertEqual(HIPRecord.parse(DATA[:length]).hit, HIT)

    def test_names(self) -> None:
        """A name that is compressed, the root, too long, no host's, or one of too many makes the record none."""
        front = DATA[:22]
        long = b"\x3f" + b"a" * 63
        for name in (
            b"\xc0\x04",
            b"\x00",
            long * 4 + b"\x00",
            b"\x03a.b\x00",
            b"\x02\xff\xfe\x00",
            b"\x01-\x00",
            b"\x01b\x00" * (MOST_SERVERS + 1),
            b"\x3fa",
        ):
            self.assertRaises(BadHIPRecord, HIPRecord.parse, front + name)
        longest = long * 3 + b"\x3d" + b"b" * 61 + b"\x00"
        self.assertEqual(len(longest), LONGEST_NAME)
        self.assertEqual(len(HIPRecord.parse(front + longest).servers), 1)

    def test_lengths(self) -> None:
        """A HIT of another length than HITs have, no key or a giant one make the record none."""
        for head in (b"\x0f\x03\x00\x02", b"\x11\x03\x00\x02", b"\x10\x03\x00\x00", b"\x00\x03\x00\x02"):
            self.assertRaises(BadHIPRecord, HIPRecord.parse, head + DATA[4:])
        giant = struct.pack("!BBH", 16, 2, LONGEST_KEY + 1) + HIT + bytes(LONGEST_KEY + 1)
        self.assertRaises(BadHIPRecord, HIPRecord.parse, giant)

    @given(st.binary(max_size=200) | st.binary(max_size=120).map(lambda tail: DATA[:22] + tail))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage is no record, or one that is printed just so."""
        try:
            record = HIPRecord.parse(garbage)
        except BadHIPRecord:
            return
        self.assertEqual(record.print().lower(), garbage.lower())

    def test_wrong_parts(self) -> None:
        """To print a record with parts that it cannot have is our bug."""
        for record in (
            HIPRecord(256, HIT, b"k"),
            HIPRecord(3, HIT[1:], b"k"),
            HIPRecord(3, HIT, b""),
            HIPRecord(3, HIT, b"k", ("a..b.",)),
            HIPRecord(3, HIT, b"k", ("ä.example.",)),
            HIPRecord(3, HIT, b"k", ("a.",) * (MOST_SERVERS + 1)),
        ):
            self.assertRaises(LocalError, record.print)
