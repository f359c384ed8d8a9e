"""Cookies: proof that whoever dials receives what is sent to its address, without keeping anything for those who do not.

The manner is that of RFC 7296 §2.6 and RFC 6347 §4.2.1: a cookie is a MAC, with a secret of ours, over the address and what was
said. Only who got it can send it back.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

COOKIE_SIZE = 16
"Octets: nobody guesses one."

LIFETIME = 60.0
"Seconds until the secret changes; the last one is taken as long again, so that nobody is caught in between."

_SECRET_SIZE = 32


class Cookies:
    """Makes cookies and knows them again."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._secrets = [random(_SECRET_SIZE)] * 2
        self._changes_at: float | None = None

    def make(self, host: str, port: int, said: bytes, now: float) -> bytes:
        """Return the cookie for somebody at this address who said this."""
        self._change(now)
        return _cookie(self._secrets[0], host, port, said)

    def holds(self, cookie: bytes, host: str, port: int, said: bytes, now: float) -> bool:
        """Tell whether a cookie was made for somebody at this address who said this, at most two minutes ago."""
        self._change(now)
        return any(hmac.compare_digest(cookie, _cookie(secret, host, port, said)) for secret in self._secrets)

    def _change(self, now: float) -> None:
        if self._changes_at is None:
            self._changes_at = now + LIFETIME
        if now < self._changes_at:
            return
        previous = self._secrets[0] if now < self._changes_at + LIFETIME else self._random(_SECRET_SIZE)
        self._secrets = [self._random(_SECRET_SIZE), previous]
        self._changes_at = now + LIFETIME


def _cookie(secret: bytes, host: str, port: int, said: bytes) -> bytes:
    place = f"{host} {port} ".encode()
    return hmac.digest(secret, place + said, hashlib.sha256)[:COOKIE_SIZE]
