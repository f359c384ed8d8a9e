"""The configuration is typed, and whoever writes a wrong one is told what to write instead."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import BadAddress
from p2pship.config import (
    Config,
    check_aor_domain,
    check_host,
    check_port,
    check_port_or_any,
    each,
    load,
    option,
    print_documented,
    within,
)
from p2pship.errors import ConfigError


@dataclass(frozen=True)
class PhoneSettings:
    """Where phones register."""

    port: int = option(5060, "The port.", check=check_port)
    host: str = option("127.0.0.1", "The address.", check=check_host)
    open: bool = option(True, "Whether anybody may register.")
    patience: float = option(0.5, "Seconds to wait.", check=within(0, 60))
    names: tuple[str, ...] = option(["eth0", "wlan0"], "The interfaces.", check=each(str.encode))


@dataclass(frozen=True)
class RangeSettings:
    """Two options that belong together."""

    first: int = option(1, "The first.")
    last: int = option(9, "The last.")

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError("first must not be after last")


SECTIONS: dict[str, type] = {"phone": PhoneSettings, "lookup.range": RangeSettings}


class LoadTests(SynchronousTestCase):
    """A file becomes sections, or every one of its problems is named."""

    def load(self, text: str, *overrides: str) -> Config:
        self.file = Path(self.mktemp())
        self.file.write_text(text, encoding="utf-8")
        return load(self.file, SECTIONS, overrides)

    def refused(self, text: str, *overrides: str) -> list[str]:
        error = self.assertRaises(ConfigError, self.load, text, *overrides)
        return [line.replace(str(self.file), "FILE") for line in str(error).splitlines()]

    def test_defaults(self) -> None:
        """Without a file, every option has its default; a list is a tuple."""
        settings = load(None, SECTIONS).get(PhoneSettings)
        self.assertEqual(settings, PhoneSettings())
        self.assertEqual(settings.names, ("eth0", "wlan0"))

    def test_values(self) -> None:
        """Each type is read; a whole number will do for a float."""
        config = self.load(
            '[phone]\nport = 5070\nhost = "::1"\nopen = false\npatience = 2\nnames = ["eth0"]\n'
            "[lookup.range]\nfirst = 3\n"
        )
        self.assertEqual(config.get(PhoneSettings), PhoneSettings(5070, "::1", False, 2.0, ("eth0",)))
        self.assertIsInstance(config.get(PhoneSettings).patience, float)
        self.assertEqual(config.section("lookup.range"), RangeSettings(first=3))

    def test_sections_that_are_not_there(self) -> None:
        """A class that is no section is a mistake in the code; a name that is none is a plug-in that is off."""
        config = self.load("")
        self.assertRaises(LookupError, config.get, Path)
        self.assertIsNone(config.section("lookup.mainline"))

    def test_all_problems_at_once(self) -> None:
        """Every wrong key, type and value is named, with file, section, key, value and the way out."""
        self.assertEqual(
            self.refused(
                'stray = 1\nlookup = 2\n[phone]\nprot = 1\nport = true\nhost = "nowhere"\nopen = 1\n'
                'patience = nan\nnames = ["eth0", 5]\n[phones]\n'
            ),
            [
                "FILE: stray = 1 is in no section: put it below its [section]",
                "FILE: lookup = 2: lookup is a section: write [lookup]",
                "FILE: [phone] has no option prot: did you mean port?",
                "FILE: [phone] port = true: give a whole number",
                """FILE: [phone] host = "nowhere": 'nowhere' is not an IP address""",
                "FILE: [phone] open = 1: give true or false",
                "FILE: [phone] patience = NaN: give a number from 0 to 60",
                'FILE: [phone] names = ["eth0", 5]: give a list of texts, such as ["one", "two"]',
                "FILE: [phones] is not a section: did you mean phone?",
            ],
        )

    def test_unlike_anything(self) -> None:
        """Where nothing is close, what there is is listed."""
        self.assertEqual(
            self.refused("[zzz]\n[phone]\nqqq = 1\n"),
            [
                "FILE: [zzz] is not a section: there are lookup.range, phone",
                "FILE: [phone] has no option qqq: there are host, names, open, patience, port",
            ],
        )

    def test_section_like_another(self) -> None:
        """Of a section below others only its own word is compared: that they begin alike says nothing."""
        self.assertEqual(
            self.refused("[lookup.foo]\n[lookup.rang]\n"),
            [
                "FILE: [lookup.foo] is not a section: there are lookup.range",
                "FILE: [lookup.rang] is not a section: did you mean lookup.range?",
            ],
        )

    def test_nested_where_no_table_belongs(self) -> None:
        """A table below a section is an unknown option of it, not an error of ours."""
        self.assertEqual(
            self.refused("[phone.port]\nx = 1\n"), ['FILE: [phone] port = {"x": 1}: give a whole number']
        )

    def test_options_that_do_not_fit_each_other(self) -> None:
        """What the dataclass itself refuses is named with its file, its section and the values given."""
        self.assertEqual(
            self.refused("[lookup.range]\nfirst = 10\nlast = 8\n"),
            ["FILE: [lookup.range] first = 10, last = 8: first must not be after last"],
        )

    def test_plugin_that_is_off(self) -> None:
        """The section of a plug-in that is off is left alone: it can be what a missing library would understand."""
        file = Path(self.mktemp())
        file.write_text("[lookup.mainline]\nanything = 1\n", encoding="utf-8")
        self.assertIsNone(load(file, {**SECTIONS, "lookup.mainline": None}).section("lookup.mainline"))

    def test_overrides(self) -> None:
        """--set wins over the file; texts and lists of them need no quotes."""
        config = self.load(
            "[phone]\nport = 1\n",
            "phone.port=5070",
            "phone.host=::1",
            "phone.names = eth0",
            "phone.open=false",
        )
        self.assertEqual(config.get(PhoneSettings), PhoneSettings(5070, "::1", False, 0.5, ("eth0",)))

    def test_wrong_overrides(self) -> None:
        """--set is checked as the file is."""
        self.assertEqual(
            self.refused(
                "", "phone.port=high", "phone.port=70000", "prot", "=1", "phone.prot=1", "fone.port=1"
            ),
            [
                '--set: [phone] port = "high": give a whole number',
                "--set: [phone] port = 70000: give a number from 1 to 65535",
                "--set prot: write section.key=value, such as sip.port=5070",
                "--set =1: write section.key=value, such as sip.port=5070",
                "--set: [phone] has no option prot: did you mean port?",
                "--set: [fone] is not a section: did you mean phone?",
            ],
        )

    def test_files_that_cannot_be_read(self) -> None:
        """A file that is missing, no TOML, no text or far too long is named."""
        missing = self.assertRaises(ConfigError, load, Path("missing.toml"), SECTIONS)
        self.assertIn("missing.toml cannot be read: No such file", str(missing))
        self.assertIn("FILE is not TOML: Expected '=' after a key", self.refused("port 5060")[0])
        self.assertIn("is it the right file?", self.refused("#" * 1_000_001)[0])
        for endless in ("9" * 5_000, "[" * 5_000):
            self.assertIn("FILE is not TOML", self.refused(f"port = {endless}")[0])
            self.assertIn("give a whole number", self.refused("", f"phone.port={endless}")[0])
        self.file.write_bytes(b"\xff\xfe")
        self.assertIn("not UTF-8", str(self.assertRaises(ConfigError, load, self.file, SECTIONS)))


class DocumentedTests(SynchronousTestCase):
    """The documented file says everything and changes nothing."""

    def test_text(self) -> None:
        """Each section has its doc, and each option its doc and its default, commented out."""
        text = print_documented({"lookup.range": RangeSettings})
        self.assertTrue(
            text.endswith(
                "\n\n# Two options that belong together.\n[lookup.range]\n\n"
                "# The first.\n#first = 1\n\n# The last.\n#last = 9\n"
            )
        )

    def test_as_it_is(self) -> None:
        """It can be used as it is, and is all defaults."""
        self.assertEqual(tomllib.loads(print_documented(SECTIONS)), {"phone": {}, "lookup": {"range": {}}})

    def test_uncommented(self) -> None:
        """With every option uncommented it is read, and is all defaults."""
        lines = print_documented(SECTIONS).splitlines()
        file = Path(self.mktemp())
        file.write_text("\n".join(line if line.startswith("# ") else line.lstrip("#") for line in lines))
        config = load(file, SECTIONS)
        self.assertEqual(config.get(PhoneSettings), PhoneSettings())
        self.assertEqual(config.get(RangeSettings), RangeSettings())


class CheckTests(SynchronousTestCase):
    """What a value can be asked to be."""

    def test_ports(self) -> None:
        """A port is 1 to 65535, and may be 0 where the operating system is to choose."""
        for port in (1, 65535):
            check_port(port)
        for port in (-1, 0, 65536):
            self.assertRaises(ValueError, check_port, port)
        check_port_or_any(0)
        self.assertRaises(ValueError, check_port_or_any, -1)

    def test_hosts(self) -> None:
        """An address is written in one way, since it is compared with others."""
        for host in ("127.0.0.1", "::1", "fe80::1%eth0"):
            check_host(host)
        for host, canonical in (("[::1]", "::1"), ("0::1", "::1"), ("::ffff:127.0.0.1", "127.0.0.1")):
            error = self.assertRaises(ValueError, check_host, host)
            self.assertEqual(str(error), f"write it as {canonical}")
        self.assertRaises(BadAddress, check_host, "localhost")

    def test_domains(self) -> None:
        """A domain is labels of letters, digits and hyphens."""
        for domain in ("example.com", "home.p2pship.alt", "a-b.c", "xn--bcher-kva.example", "localhost."):
            check_aor_domain(domain)
        for domain in (
            "",
            "a..b",
            "-a.b",
            "a-.b",
            "a b",
            "bücher.example",
            "a" * 64,
            "a." * 130,
            "u@h",
            "a_b",
            "127.0.0.1",
            "example.1st",
        ):
            self.assertRaises(ValueError, check_aor_domain, domain)
