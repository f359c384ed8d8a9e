"""HIP resource records for ``twisted.names``, which has no class for them: to serve them, and to read them."""

from __future__ import annotations

from typing import IO, Any

from twisted.names import dns
from twisted.python.util import FancyEqMixin, FancyStrMixin
from zope.interface import implementer

from p2pship.lookup.dns.wire import TYPE, HIPRecord


@implementer(dns.IEncodableRecord)
class Record_HIP(FancyEqMixin, FancyStrMixin):
    """A HIP resource record, to be put into a zone of :mod:`twisted.names.authority` (RFC 8005)."""

    TYPE = TYPE

    fancybasename = "HIP"
    compareAttributes = ("data", "ttl")
    showAttributes = ("data", "ttl")

    def __init__(self, data: HIPRecord | None = None, ttl: int | str | None = None) -> None:
        """``data`` None: it will be decoded."""
        self.data = data
        self.ttl = dns.str2time(ttl)

    def __hash__(self) -> int:
        return hash(self.data)

    def encode(self, strio: IO[bytes], compDict: dict[bytes, int] | None = None) -> None:
        """Write the data; its names are never compressed."""
        if self.data is not None:
            strio.write(self.data.print())

    def decode(self, strio: IO[bytes], length: int | None = None) -> None:
        """Read the data of so many octets.

        :raises BadHIPRecord: if it is none.
        :raises EOFError: if there are fewer, as all records of ``twisted.names`` do.
        """
        self.data = HIPRecord.parse(dns.readPrecisely(strio, length or 0))


class HIPMessage(dns.Message):
    """A DNS message in which HIP records are read as such, as others are."""

    def lookupRecordType(self, type: int) -> Any:
        """Return the class of the records of a type."""
        return Record_HIP if type == TYPE else super().lookupRecordType(type)
