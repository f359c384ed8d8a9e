"""What one server is asked in a search, and what of its answers is believed.

Theory of operation. A server is asked for all slots under the lookup key, of which it tells the 16 that have been there longest.
If there are as many, others may have filled the lookup key before the person came: then each slot is asked for by itself whose
publication key is known. A slot is passed on if it is of this lookup key, has not expired and is signed by its publication key.
The signature says nothing of who the publisher is, but it makes the server unable to change anything: all that a bad one can do is to
keep things to itself, or to tell an old slot, whose record says how old it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from p2pship.lookup.candidate import Question
from p2pship.lookup.http.wire import MOST_SLOTS, SKEW, SignedSlot, WrongSignature


class Inquiry:
    """One question to one server."""

    def __init__(self, question: Question) -> None:
        self._lookup_key = question.lookup_key
        self._known = question.known[:MOST_SLOTS]
        self.more: tuple[bytes, ...] = ()
        "the publication keys of the slots that are to be asked for by themselves"
        self.refused = ""
        "why something was not believed, in words; empty while everything was"
        self.believed = 0
        "how many slots were passed on"

    def listed(self, slots: tuple[SignedSlot, ...], now: float) -> list[SignedSlot]:
        """Take the list, and return what of it is believed."""
        if len(slots) >= MOST_SLOTS:
            there = {slot.publication_key for slot in slots}
            self.more = tuple(key for key in self._known if key not in there)
        return self._believed(slots, now)

    def received(self, slot: SignedSlot, now: float) -> list[SignedSlot]:
        """Take one slot, which was asked for or is pushed, and return it if it is believed; else nothing."""
        return self._believed((slot,), now)

    def _believed(self, slots: Iterable[SignedSlot], now: float) -> list[SignedSlot]:
        believed = [slot for slot in slots if self._is_good(slot, now)]
        self.believed += len(believed)
        return believed

    def _is_good(self, slot: SignedSlot, now: float) -> bool:
        if slot.lookup_key != self._lookup_key:
            self.refused = "it told slots that were not asked for"
            return False
        if slot.withdrawn or slot.expiry < now - SKEW:
            return False
        try:
            slot.verify()
        except WrongSignature:
            self.refused = "it told slots that are not signed by their publication key"
            return False
        return True
