"""The values that are one word or number: Call-ID, CSeq, Max-Forwards, lengths and q (RFC 3261 §20)."""

from __future__ import annotations

import re

from p2pship.sip.parameters import TOKEN, BadURI

MOST_FORWARDS = 255  # RFC 3261 §20.22
LARGEST_NUMBER = 2**32 - 1  # of CSeq: §20.16 says 2**31 below; RFC 4475 §3.1.2.4 draws the line here

_CSEQ = re.compile(rf"0*([0-9]{{1,10}})[ \t]+({TOKEN})")
_NUMBER = re.compile(r"0*([0-9]{1,10})")
_PREFERENCE = re.compile(r"[01](\.[0-9]{0,3})?")
_CALL_ID = re.compile(r"[^ \t\x00-\x1f\x7f\ud800-\udfff]+")


def read_number(text: str, largest: int = LARGEST_NUMBER) -> int:
    """Read a decimal number; leading zeros are allowed.

    :raises BadURI: if it is no number, or larger than ``largest``.
    """
    match = _NUMBER.fullmatch(text)
    if match is None or int(match[1]) > largest:
        raise BadURI(f"{text[:40]!r} is not a number from 0 to {largest}")
    return int(match[1])


def read_call_id(text: str) -> str:
    """Read a Call-ID: any text without white space, in UTF-8, so that it can be kept and shown.

    :raises BadURI: if it is not one.
    """
    if not _CALL_ID.fullmatch(text):
        raise BadURI(f"{text!r} is not a Call-ID")
    return text


def read_cseq(text: str) -> tuple[int, str]:
    """Read the number and the method of a CSeq.

    :raises BadURI: if it is malformed or the number is above 2**32 - 1.
    """
    match = _CSEQ.fullmatch(text)
    if match is None or int(match[1]) > LARGEST_NUMBER:
        raise BadURI(f"{text[:40]!r} is not a CSeq")
    return int(match[1]), match[2]


def read_max_forwards(text: str) -> int:
    """Read a Max-Forwards, 0 to 255.

    :raises BadURI: if it is not one.
    """
    return read_number(text, MOST_FORWARDS)


def read_preference(text: str | None) -> float:
    """Read the q of a Contact, 0 to 1: how much it is preferred; 1 if it has none, or one that cannot be read (§20.10)."""
    match = _PREFERENCE.fullmatch(text or "")
    return min(1.0, float(match[0])) if match else 1.0
