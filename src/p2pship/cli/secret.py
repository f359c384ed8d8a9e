"""Secrets from a person or a program: from the terminal, a file descriptor or standard input, never from the command line."""

from __future__ import annotations

import getpass
import os
import sys

from p2pship.errors import LocalError

LONGEST_SECRET = 1024
"Octets of a secret: no passphrase is longer."


def read_secret(what: str, option: str, descriptor: int | None, twice: bool = False) -> str:
    """Return a secret: the first line of the descriptor if one is given, else what is typed, or comes from standard input.

    :param what: what it is, for the person who is asked
    :param option: how the descriptor is given, for whoever gave none
    :param twice: whether it must be typed twice
    :raises LocalError: if there is none.
    """
    if descriptor is None and sys.stdin is not None and sys.stdin.isatty():
        return _typed(what, twice)
    line = _first_line(0 if descriptor is None else descriptor)
    if not line:
        raise LocalError(
            f"the {what} is missing: type it at a terminal, or give its file descriptor with {option}"
        )
    return line


def _typed(what: str, twice: bool) -> str:
    try:
        typed = getpass.getpass(f"{what[:1].upper()}{what[1:]}: ")
        if twice and getpass.getpass("Once more: ") != typed:
            raise LocalError(f"the two were not the same: give the {what} again")
    except EOFError:
        typed = ""
    except UnicodeDecodeError:
        raise LocalError(f"the terminal does not write UTF-8: give the {what} by a file descriptor") from None
    if not typed:
        raise LocalError(f"no {what} was given")
    return typed


def _first_line(descriptor: int) -> str:
    """Read up to the end of the first line, and no more: what follows may be another secret."""
    read = bytearray()
    try:
        while len(read) <= LONGEST_SECRET and (octet := os.read(descriptor, 1)) not in (b"", b"\n"):
            read += octet
    except OSError as error:
        raise LocalError(f"the file descriptor {descriptor} cannot be read: {error.strerror}") from None
    if len(read) > LONGEST_SECRET:
        raise LocalError(f"a secret has at most {LONGEST_SECRET:,} octets")
    return read.decode(errors="surrogateescape").removesuffix("\r")
