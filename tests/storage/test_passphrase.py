"""Tests of where the passphrase comes from."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import ConfigError
from p2pship.storage.passphrase import CREDENTIAL, find_passphrase
from p2pship.storage.vault import LONGEST_PASSPHRASE


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


class FindPassphraseTests(SynchronousTestCase):
    """The sources, and their order."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        (self.folder / CREDENTIAL).write_bytes(b"from systemd\n")
        self.environment = {"CREDENTIALS_DIRECTORY": str(self.folder)}

    def find(self, descriptor: int | None = None, terminal: Any = None, typed: str = "typed") -> bytes:
        """Look everywhere."""
        return find_passphrase(descriptor, self.environment, terminal or io.StringIO(), lambda prompt: typed)

    def pipe(self, octets: bytes) -> int:
        """Return a descriptor that gives some octets."""
        reading, writing = os.pipe()
        os.write(writing, octets)
        os.close(writing)
        return reading

    def test_order(self) -> None:
        """The descriptor that was named comes first, then who sits at the terminal, then the credential."""
        descriptor = self.pipe(b"piped\n")
        self.assertEqual(self.find(descriptor, Terminal()), b"piped")
        self.assertEqual(self.find(terminal=Terminal()), b"typed")
        self.assertEqual(self.find(), b"from systemd")

    def test_line(self) -> None:
        """Whatever ends the line, and whatever characters the terminal has, it is what `p2pship passphrase set` took."""
        for octets in (b"caf\xe9\n", b"caf\xe9\r\n", b"caf\xe9"):
            (self.folder / CREDENTIAL).write_bytes(octets)
            self.assertEqual(self.find(), b"caf\xe9")
            self.assertEqual(self.find(self.pipe(octets)), b"caf\xe9")
        self.assertEqual(self.find(terminal=Terminal(), typed="caf\udce9"), b"caf\xe9")

    def test_other_encoding(self) -> None:
        """A terminal of another encoding is said to be one."""

        def ask(prompt: str) -> str:
            return b"caf\xe9".decode()

        error = self.assertRaises(ConfigError, find_passphrase, None, {}, Terminal(), ask)
        self.assertIn("--passphrase-fd", str(error))

    def test_closed(self) -> None:
        """The descriptor is closed when it was read: no other program gets it."""
        descriptor = self.pipe(b"piped")
        self.find(descriptor)
        self.assertRaises(OSError, os.fstat, descriptor)

    def test_none(self) -> None:
        """Where there is no source at all, the error says which there are."""
        self.environment = {}
        error = str(self.assertRaises(ConfigError, self.find))
        for word in ("terminal", "--passphrase-fd", CREDENTIAL):
            self.assertIn(word, error)

    def test_useless(self) -> None:
        """What is empty, too long or no descriptor is said."""
        for octets in (b"", b"\nsecond line\n", b"x" * (LONGEST_PASSPHRASE + 1)):
            self.assertRaises(ConfigError, self.find, self.pipe(octets))
        self.assertRaises(ConfigError, self.find, 987_654)
        self.assertRaises(ConfigError, self.find, None, Terminal(), "")
