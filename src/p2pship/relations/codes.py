"""Secrets that two devices are given by their people: digits that are read aloud, and 128 bits in a URI or QR code."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qs, quote, urlsplit

from p2pship.errors import RemoteError
from p2pship.identity.aor import BadAOR, canonical_aor

CODE_DIGITS = 8
"Random digits: with three tries a guess succeeds once in 33 million windows."

SCANNED_OCTETS = 16
"Octets of a secret that nobody types: 128 bits."

HIT_OCTETS = 16

LONGEST_TYPED = 64
"Characters of what is taken for a code: nine digits, and whatever people put between them."

LONGEST_INVITATION = 1_024
"Characters of an invitation's URI: two names, every character escaped, do not fill it."

SCHEME = "p2pship"

_DAMM = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)
"The quasigroup of the Damm algorithm: its check digit finds each single wrong digit and each pair that was swapped."

_BETWEEN = re.compile(r"[\s.\-–]+")


class BadCode(RemoteError):
    """This is not a code: it has nine digits, such as 123-456-786."""


class BadInvitation(RemoteError):
    """This is not an invitation: it begins with p2pship: and comes whole from a QR code or a message."""


class Purpose(Enum):
    """What two devices shall do with the secret."""

    LINK = "link"
    PAIR = "pair"


class Means(Enum):
    """How the secret came from one to the other."""

    CODE = "code"
    SCANNED = "scanned"


@dataclass(frozen=True, slots=True)
class Secret:
    """What both devices know and nobody else does."""

    means: Means
    octets: bytes
    "the digits in ASCII without the check digit, or 16 random octets"

    @classmethod
    def new_code(cls, random: Callable[[int], bytes]) -> Secret:
        """Make digits to be read aloud."""
        number = int.from_bytes(random(8), "big") % 10**CODE_DIGITS
        return cls(Means.CODE, b"%0*d" % (CODE_DIGITS, number))

    @classmethod
    def new_scanned(cls, random: Callable[[int], bytes]) -> Secret:
        """Make a secret that only machines read."""
        return cls(Means.SCANNED, random(SCANNED_OCTETS))

    @classmethod
    def typed(cls, text: str) -> Secret:
        """Read digits as a person typed them: spaces, dots and hyphens between them mean nothing.

        :raises BadCode: if they are not a code; a single wrong digit, or two that were swapped, always show, before a
            try is lost for them.
        """
        digits = _BETWEEN.sub("", text[:LONGEST_TYPED])
        if len(digits) != CODE_DIGITS + 1 or not (digits.isascii() and digits.isdecimal()):
            raise BadCode()
        if _check_digit(digits) != "0":
            raise BadCode("a digit of the code is wrong: look at it again")
        return cls(Means.CODE, digits[:-1].encode("ascii"))

    @property
    def password(self) -> bytes:
        """What goes into the key exchange: different for each means."""
        return self.means.value.encode("ascii") + b":" + self.octets

    def __str__(self) -> str:
        """Return it as it is shown: ``123-456-786``, or 26 characters of base32."""
        if self.means is Means.SCANNED:
            return _base32(self.octets)
        digits = self.octets.decode("ascii")
        digits += _check_digit(digits)
        return "-".join(digits[at : at + 3] for at in range(0, len(digits), 3))

    def __repr__(self) -> str:
        """Return what may stand in a log: the secret does not."""
        return f"<Secret: {self.means.value}>"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a QR code says: whom to reach for what, and the secret."""

    purpose: Purpose
    aor: str
    "the canonical AOR of who shows it"
    hit: bytes
    "the HIT of the device that shows it: no other one is asked"
    secret: Secret
    "one that is scanned"
    contact: str = ""
    "the canonical AOR of who is to scan it; empty when it is for linking"

    @property
    def uri(self) -> str:
        """Return the URI, ``p2pship:link?…`` or ``p2pship:pair?…`` (docs/reference/linking.md)."""
        whom = f"&for={quote(self.contact, safe='@')}" if self.contact else ""
        to = quote(self.aor, safe="@")
        return f"{SCHEME}:{self.purpose.value}?to={to}{whom}&device={self.hit.hex()}&secret={self.secret}"

    @classmethod
    def read(cls, uri: str) -> Invitation:
        """Read a URI; parameters that are not known are ignored.

        :raises BadInvitation: if it is none.
        """
        if len(uri) > LONGEST_INVITATION:
            raise BadInvitation()
        try:
            return cls._read(uri.strip())
        except (ValueError, KeyError, BadAOR):
            raise BadInvitation() from None

    @classmethod
    def _read(cls, uri: str) -> Invitation:
        parts = urlsplit(uri)
        if parts.scheme != SCHEME or parts.netloc:
            raise ValueError(uri)
        values = parse_qs(parts.query, strict_parsing=True, max_num_fields=16)
        said = {name: texts[0] for name, texts in values.items() if len(texts) == 1}
        purpose = Purpose(parts.path)
        contact = canonical_aor(said["for"]) if purpose is Purpose.PAIR else ""
        hit = bytes.fromhex(said["device"])
        secret = Secret(Means.SCANNED, _from_base32(said["secret"]))
        if len(hit) != HIT_OCTETS or len(secret.octets) != SCANNED_OCTETS:
            raise ValueError(uri)
        return cls(purpose, canonical_aor(said["to"]), hit, secret, contact)


def _check_digit(digits: str) -> str:
    """Return the Damm check digit; of digits that end with theirs it is 0."""
    interim = 0
    for digit in digits:
        interim = int(_DAMM[interim][int(digit)])
    return str(interim)


def _base32(octets: bytes) -> str:
    return base64.b32encode(octets).decode("ascii").rstrip("=").lower()


def _from_base32(text: str) -> bytes:
    try:
        return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except binascii.Error:
        raise ValueError(text) from None
