"""Where the passphrase of the keys comes from: a file descriptor, a terminal, or a credential of systemd."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from p2pship.errors import ConfigError
from p2pship.storage.vault import LONGEST_PASSPHRASE

CREDENTIAL = "p2pship.passphrase"
"The name of the credential (systemd.exec(5), LoadCredentialEncrypted=)."


def find_passphrase(
    descriptor: int | None,
    environment: Mapping[str, str] = os.environ,
    terminal: TextIO | None = None,
    ask: Callable[[str], str] = getpass.getpass,
) -> bytes:
    """Return the passphrase from the first of these that there is: the descriptor, the terminal, the credential.

    It is one line; the newline at its end is no part of it, nor a carriage return before that. ``terminal`` is where a person would be asked, by default the
    standard input, and is one only if it is a terminal.

    :raises ConfigError: if there is none of them, or what it gives is empty or too long.
    """
    terminal = sys.stdin if terminal is None else terminal
    if descriptor is not None:
        return _checked(_from_descriptor(descriptor), f"file descriptor {descriptor}")
    if terminal is not None and terminal.isatty():
        return _checked(_asked(ask), "the terminal")
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if folder and (path := Path(folder, CREDENTIAL)).exists():
        return _checked(_from_credential(path), f"the credential {CREDENTIAL}")
    raise ConfigError(
        "the keys are under a passphrase: start the node at a terminal, with --passphrase-fd N, "
        f"or with the systemd credential {CREDENTIAL}"
    )


def _checked(line: bytes, source: str) -> bytes:
    passphrase = line.split(b"\n", 1)[0].removesuffix(b"\r")
    if not passphrase:
        raise ConfigError(f"there is no passphrase on {source}")
    if len(passphrase) > LONGEST_PASSPHRASE:
        raise ConfigError(f"the passphrase on {source} has more than {LONGEST_PASSPHRASE} octets")
    return passphrase


def _from_descriptor(descriptor: int) -> bytes:
    """Read one line, and close the descriptor: no program that is started later gets it."""
    try:
        with open(descriptor, "rb") as file:
            return file.readline(LONGEST_PASSPHRASE + 3)
    except OSError as error:
        raise ConfigError(f"file descriptor {descriptor} cannot be read: {error.strerror}") from error


def _asked(ask: Callable[[str], str]) -> bytes:
    try:
        return ask("Passphrase of the keys: ").encode("utf-8", "surrogateescape")
    except EOFError:
        return b""
    except UnicodeDecodeError:
        raise ConfigError(
            "the terminal does not write UTF-8: give the passphrase with --passphrase-fd N"
        ) from None


def _from_credential(path: Path) -> bytes:
    try:
        return path.read_bytes()  # systemd lets others than the service see a mode, not the file
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
