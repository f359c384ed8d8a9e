"""Old keys that gave way to new ones: each signs its successor, in the statement that the successor signs."""

from __future__ import annotations

from collections.abc import Callable

from p2pship.identity.keys import SIGNATURE_LENGTH, BadKey, compressed, expanded, verify
from p2pship.identity.papers import Statement
from p2pship.identity.statement import MOST_SUCCEEDED

CONTEXT = b"p2pship identity succession v1"
"What an old key's signature begins with, so that it is none for anything else."


def succeeded(sign: Callable[[bytes], bytes], old: bytes, aor: str, new: bytes) -> bytes:
    """Return what says that the identity key ``old``, with which ``sign`` signs, gave way to ``new`` for an AOR.

    Keys are DER SubjectPublicKeyInfo.
    """
    return compressed(old) + sign(_to_be_signed(aor, new))


def succession(last: Statement, entry: bytes) -> tuple[bytes, ...]:
    """Return the succession of the statement after the one of the key that has just given way."""
    return (entry, *last.succession)[:MOST_SUCCEEDED]


def predecessors(statement: Statement) -> tuple[bytes, ...]:
    """Return the keys (DER) that gave way to a statement's key, newest first, as far as their signatures are true.

    Each costs a verification; a statement is not refused for a wrong one, for it only speaks of itself.
    """
    keys: list[bytes] = []
    successor = statement.key
    for entry in statement.succession:
        key = _signer(entry, statement.aor, successor)
        if key is None:
            break
        keys.append(key)
        successor = key
    return tuple(keys)


def is_followed(key: bytes, statement: Statement) -> bool:
    """Tell whether a key (DER) is that of a statement, or gave way to it."""
    return key == statement.key or key in predecessors(statement)


def same_person(one: Statement, other: Statement) -> bool:
    """Tell whether two statements of one AOR are by one identity key, or by two of which one gave way to the other."""
    return is_followed(one.key, other) or is_followed(other.key, one)


def _signer(entry: bytes, aor: str, successor: bytes) -> bytes | None:
    try:
        key = expanded(entry[:-SIGNATURE_LENGTH])
    except BadKey:
        return None
    return key if verify(key, entry[-SIGNATURE_LENGTH:], _to_be_signed(aor, successor)) else None


def _to_be_signed(aor: str, new: bytes) -> bytes:
    return CONTEXT + aor.encode("utf-8") + b"\0" + new
