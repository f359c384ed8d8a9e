"""Every option is documented in etc/p2pship.toml, as the code has it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pship.config import load, print_documented
from p2pship.sections import documented_sections, sections

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "etc" / "p2pship.toml"


class SectionsTests(SynchronousTestCase):
    """The sections of a node with its own plug-ins."""

    def test_names(self) -> None:
        """Each part and each built-in plug-in has its section, and all can be read."""
        self.assertEqual(
            list(sections()),
            [
                "sip",
                "sip.network",
                "media",
                "identity",
                "trust",
                "screen",
                "privacy",
                "lookup.dns",
                "lookup.http",
                "lookup.lan",
                "lookup.mainline",
                "bearer.hip",
                "bearer.tcp",
                "bearer.tls",
                "bearer.udp",
                "application.rendezvous",
            ],
        )
        self.assertEqual(documented_sections(), sections())

    def test_file(self) -> None:
        """The documented file is what the code says: ``make etc`` writes it again."""
        self.assertEqual(FILE.read_text(encoding="utf-8"), print_documented(documented_sections()))

    def test_file_as_it_is(self) -> None:
        """It is read, and changes nothing."""
        self.assert_defaults(FILE)

    def test_file_uncommented(self) -> None:
        """With every option uncommented it is read, and changes nothing."""
        lines = FILE.read_text(encoding="utf-8").splitlines()
        whole = Path(self.mktemp())
        whole.write_text("\n".join(line if line.startswith("# ") else line.lstrip("#") for line in lines))
        self.assert_defaults(whole)

    def assert_defaults(self, file: Path) -> None:
        """Check that a file gives every section its defaults."""
        config = load(file, sections())
        for name, settings in documented_sections().items():
            self.assertEqual(config.section(name), settings())

    def test_every_option_is_documented(self) -> None:
        """Each option has whole sentences for whoever edits the file."""
        for name, settings in documented_sections().items():
            for item in fields(settings):
                self.assertRegex(item.metadata["doc"], r"(?s)^[A-Z0-9].*\.$", f"{name}.{item.name}")
