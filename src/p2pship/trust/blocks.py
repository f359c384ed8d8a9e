"""The block list and the allow list: patterns of names.

A pattern is a canonical AOR, ``*@example.com`` for everybody at that host, or ``*.example.com`` for everybody at any host
below that domain (not at ``example.com`` itself). As in any AOR, the case of a user part matters, and that of a host does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.interfaces import IReactorTime

from p2pship.errors import LocalError
from p2pship.identity.aor import BadAOR, canonical_aor, split_aor
from p2pship.trust.ledger import ALLOW, BLOCK, Ledger


def canonical_pattern(text: str) -> str:
    """Return the one spelling of a pattern.

    :raises LocalError: if it is none; the message says what is.
    """
    try:
        if text.startswith("*@"):
            return f"*@{_host(text[2:])}"
        if text.startswith("*."):
            return f"*.{_host(text[2:])}"
        if "*" not in text:
            return canonical_aor(text)
    except BadAOR:
        pass
    raise LocalError(
        f"{text!r:.80} is no pattern: give a name such as alice@example.com, *@example.com for everybody there, "
        "or *.example.com for everybody at a host below it"
    )


def matching(aor: str) -> Iterator[str]:
    """Yield every pattern that a canonical AOR matches, the most exact first."""
    host = split_aor(aor)[1]
    yield aor
    yield f"*@{host}"
    if host.startswith("[") or host[-1].isdigit():
        return  # an address has no domain above it (the last label of a name is never a number)
    while "." in host:
        host = host.partition(".")[2]
        yield f"*.{host}"


class Blocks:
    """Both lists of our own identities, in the ledger."""

    def __init__(self, ledger: Ledger, clock: IReactorTime) -> None:
        self._ledger = ledger
        self._clock = clock

    def blocked(self, own: str, aor: str) -> str:
        """Return the most exact pattern on the block list that a canonical AOR matches; empty if none."""
        return self._match(own, BLOCK, aor)

    def allowed(self, own: str, aor: str) -> str:
        """Return the most exact pattern on the allow list that a canonical AOR matches; empty if none."""
        return self._match(own, ALLOW, aor)

    def block(self, own: str, pattern: str, note: str = "") -> str:
        """Put a pattern on the block list, take it off the other, and return its one spelling.

        :raises LocalError: if it is no pattern, or cannot be written.
        """
        return self._put(own, BLOCK, ALLOW, pattern, note)

    def allow(self, own: str, pattern: str, note: str = "") -> str:
        """Put a pattern on the allow list, take it off the other, and return its one spelling.

        :raises LocalError: if it is no pattern, or cannot be written.
        """
        return self._put(own, ALLOW, BLOCK, pattern, note)

    def remove(self, own: str, pattern: str) -> bool:
        """Take a pattern off both lists; False if it was on none.

        :raises LocalError: if it is no pattern, or cannot be written.
        """
        canonical = canonical_pattern(pattern)
        gone = [self._ledger.remove(own, kind, canonical) for kind in (BLOCK, ALLOW)]
        return any(gone)

    def all(self, own: str) -> list[tuple[str, str, str]]:
        """Return the kind (``block`` or ``allow``), pattern and note of every entry."""
        return [
            (kind, pattern, _note(value))
            for kind in (BLOCK, ALLOW)
            for pattern, value in sorted(self._ledger.items(own, kind).items())
        ]

    def _put(self, own: str, kind: str, other: str, pattern: str, note: str) -> str:
        canonical = canonical_pattern(pattern)
        if canonical == own and kind == BLOCK:
            raise LocalError(f"{own} is you: your own devices cannot be blocked")
        self._ledger.put(own, kind, canonical, {"added": int(self._clock.seconds()), "note": note})
        self._ledger.remove(own, other, canonical)
        return canonical

    def _match(self, own: str, kind: str, aor: str) -> str:
        return next((one for one in matching(aor) if self._ledger.get(own, kind, one) is not None), "")


def _host(text: str) -> str:
    return split_aor(canonical_aor(f"x@{text}"))[1]


def _note(value: Any) -> str:
    note = value.get("note") if isinstance(value, dict) else None
    return note if isinstance(note, str) and note.isprintable() else ""
