"""What a slot must be to be taken: for the place where it was put, signed, and of now."""

from __future__ import annotations

from p2pship.lookup.http.server.refusal import Refused, malformed, wrong_clock
from p2pship.lookup.http.wire import SKEW, BadSlot, SignedSlot, WrongSignature


def checked(
    data: bytes, lookup_key: bytes, publication_key: bytes, now: float, longest_lifetime: int
) -> SignedSlot:
    """Return the slot of a put to these keys at a Unix time, which lives so many seconds at most; what costs most is checked last.

    :raises Refused: if it is not taken.
    """
    try:
        slot = SignedSlot.parse(data)
    except BadSlot as error:
        raise malformed(str(error)) from None
    if (slot.lookup_key, slot.publication_key) != (lookup_key, publication_key):
        raise malformed("the slot is for another place than the one it was put to")
    _check_dates(slot, now, longest_lifetime)
    try:
        slot.verify()
    except WrongSignature as error:
        raise Refused(403, "signature", str(error)) from None
    return slot


def _check_dates(slot: SignedSlot, now: float, longest_lifetime: int) -> None:
    ahead = slot.sequence / 1000 - now
    if abs(ahead) > SKEW:
        raise wrong_clock(ahead)
    if slot.expiry <= now:
        raise Refused(400, "expired", "the slot has expired")
    if slot.expiry > now + SKEW + longest_lifetime:
        raise Refused(400, "lifetime", f"a slot lives at most {longest_lifetime} s here now")
