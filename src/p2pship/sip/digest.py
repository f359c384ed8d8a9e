"""Digest access authentication as phones and this node write it (RFC 7616, RFC 8760, RFC 3261 §22.4).

Only ``qop=auth`` is offered: it binds the method and the URI, not the body. That a captured answer is of no use for
another body is due to its count, which is taken once (:mod:`p2pship.sip.nonces`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Self

from p2pship.errors import RemoteError
from p2pship.sip.parameters import QUOTED, TOKEN, quote, unquote

SHA256 = "SHA-256"
MD5 = "MD5"
QOP = "auth"

ALGORITHMS = {SHA256: "sha256", MD5: "md5"}
"The algorithms that are offered, the preferred one first (RFC 8760 §2.3), and the hash of each."

MOST_PARAMETERS = 24
"Parameters of an Authorization: twice as many as RFC 7616 has."

LONGEST_VALUE = 1024
"Characters of one of them: a Request-URI of the longest kind is what needs so many."

_PARAMETER = re.compile(
    rf"[ \t]*({TOKEN})[ \t]*=[ \t]*({QUOTED}|[^ \t,\"\x00-\x1f\x7f]+)[ \t]*(?:,|\Z)", re.DOTALL
)
_SCHEME = re.compile(r"digest[ \t]+", re.IGNORECASE)
_COUNT = re.compile("[0-9a-fA-F]{8}")
_NEEDED = ("username", "realm", "nonce", "uri", "response")


class BadCredentials(RemoteError):
    """This is no answer to a challenge of ours: it says what is wrong."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a phone answers to a challenge: one value of Authorization or Proxy-Authorization."""

    username: str
    "who it says to be"
    realm: str
    "as in the challenge"
    nonce: str
    "as in the challenge"
    uri: str
    "the Request-URI that it has signed"
    response: str
    "the proof, in hexadecimal"
    algorithm: str
    "``SHA-256`` or ``MD5``; RFC 7616 §3.4 takes MD5 where none is named"
    cnonce: str
    "the phone's own part"
    nc: str
    "how often it has used this nonce, this time included: eight hexadecimal digits"

    @classmethod
    def parse(cls, value: str) -> Self | None:
        """Read a header value; None if it is of another scheme.

        :raises BadCredentials: if it cannot be read, or uses what was not offered.
        """
        scheme = _SCHEME.match(value)
        if scheme is None:
            return None
        given = _parameters(value[scheme.end() :])
        if any(name not in given for name in (*_NEEDED, "cnonce", "nc")):
            raise BadCredentials("the answer to the challenge is not whole: it needs qop=auth")
        algorithm = {each.lower(): each for each in ALGORITHMS}.get(given.get("algorithm", MD5).lower())
        if algorithm is None or given.get("qop", "").lower() != QOP or not _COUNT.fullmatch(given["nc"]):
            raise BadCredentials("the answer is of a kind that was not offered")
        username, realm, nonce, uri, response = (given[name] for name in _NEEDED)
        return cls(username, realm, nonce, uri, response, algorithm, given["cnonce"], given["nc"])

    @property
    def count(self) -> int:
        """How often the nonce has been used, this time included."""
        return int(self.nc, 16)

    def proves(self, method: str, ha1: str) -> bool:
        """Tell whether this answers for a request of that method with the secret ``ha1`` of its algorithm."""
        expected = answer(self, method, ha1)
        return hmac.compare_digest(expected.encode(), self.response.lower().encode("utf-8", "replace"))

    def __str__(self) -> str:
        return (
            f"Digest username={quote(self.username)}, realm={quote(self.realm)}, nonce={quote(self.nonce)}, "
            f"uri={quote(self.uri)}, response={quote(self.response)}, algorithm={self.algorithm}, "
            f"cnonce={quote(self.cnonce)}, qop={QOP}, nc={self.nc}"
        )


def secret(algorithm: str, username: str, realm: str, password: str) -> str:
    """Return HA1, which is worth as much as the password for this realm (RFC 7616 §3.4.2)."""
    return _hash(algorithm, f"{username}:{realm}:{password}")


def answer(credentials: Credentials, method: str, ha1: str) -> str:
    """Return the response that these credentials should have (RFC 7616 §3.4.1)."""
    signed = _hash(credentials.algorithm, f"{method}:{credentials.uri}")
    parts = (ha1, credentials.nonce, credentials.nc, credentials.cnonce, QOP, signed)
    return _hash(credentials.algorithm, ":".join(parts))


def challenge(algorithm: str, realm: str, nonce: str, opaque: str, stale: bool) -> str:
    """Return the value of WWW-Authenticate or Proxy-Authenticate that asks for a proof (RFC 7616 §3.3)."""
    again = ", stale=true" if stale else ""
    return (
        f"Digest realm={quote(realm)}, nonce={quote(nonce)}, opaque={quote(opaque)}, "
        f'algorithm={algorithm}, qop="{QOP}"{again}'
    )


def _hash(algorithm: str, text: str) -> str:
    return hashlib.new(
        ALGORITHMS[algorithm], text.encode("utf-8", "surrogateescape"), usedforsecurity=False
    ).hexdigest()


def _parameters(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None or len(given) >= MOST_PARAMETERS or match[1].lower() in given:
            raise BadCredentials("the answer to the challenge cannot be read")
        given[match[1].lower()] = unquote(match[2])
        at = match.end()
    if any(len(value) > LONGEST_VALUE for value in given.values()):
        raise BadCredentials(f"a part of the answer has more than {LONGEST_VALUE} characters")
    return given
