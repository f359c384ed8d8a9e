"""News of a person's own statement, as it is pushed over links: the statement, and what goes with it if it has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from p2pship.errors import RemoteError
from p2pship.identity.cbor import BadCBOR, decode, encode
from p2pship.identity.ownchain import MOST_CERTIFICATES
from p2pship.identity.statement import LONGEST_STATEMENT

VERSION = 1
"The version of the format; another one is refused."

LONGEST_CERTIFICATE = 4_096
"Octets: with P-256 keys one has some 500."

LONGEST_REVOCATIONS = 32_768
"Octets of a revocation list: some 800 serials, and with all else it fits a payload."

_VERSION, _STATEMENT, _CHAIN, _REVOCATIONS = range(4)


class BadNews(RemoteError):
    """News of a statement is not of its form."""


@dataclass(frozen=True, slots=True)
class News:
    """A newer statement; nothing of it has been checked."""

    statement: bytes
    "the signed statement"
    chain: tuple[bytes, ...] = ()
    "the certificates, DER, end entity first; none of a self-signed one"
    revocations: bytes = b""
    "the newest revocation list of who issued them, DER; empty if there is none"


def write(news: News) -> bytes:
    """Return the octets of news, without certificates or a list that nobody would read: the statement must not wait for them."""
    fields: dict[int, Any] = {_VERSION: VERSION, _STATEMENT: news.statement}
    if news.chain and max(map(len, news.chain)) <= LONGEST_CERTIFICATE:
        fields[_CHAIN] = list(news.chain)
    if 0 < len(news.revocations) <= LONGEST_REVOCATIONS:
        fields[_REVOCATIONS] = news.revocations
    return encode(fields)


def read(octets: bytes) -> News:
    """Read news; fields that are not known are ignored.

    :raises BadNews: if it is not of its form, of another version, or anything in it is too long.
    """
    try:
        fields = decode(octets)
    except BadCBOR as error:
        raise BadNews(str(error)) from None
    if not isinstance(fields, dict) or type(fields.get(_VERSION)) is not int or fields[_VERSION] != VERSION:
        raise BadNews("it is not a map of a version that is known")
    chain = fields.get(_CHAIN, [])
    if not isinstance(chain, list) or len(chain) > MOST_CERTIFICATES:
        raise BadNews(f"its chain is not of up to {MOST_CERTIFICATES} certificates")
    return News(
        _octets(fields.get(_STATEMENT), LONGEST_STATEMENT, "statement"),
        tuple(_octets(one, LONGEST_CERTIFICATE, "certificate") for one in chain),
        _octets(fields.get(_REVOCATIONS, b""), LONGEST_REVOCATIONS, "revocation list"),
    )


def _octets(value: Any, most: int, name: str) -> bytes:
    if not isinstance(value, bytes) or len(value) > most:
        raise BadNews(f"its {name} is missing, or has more than {most} octets")
    return value
