"""Plug-ins are found by their cards, and one that is broken takes nothing else with it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.logger import LogLevel, capturedLogs
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.config import load, option
from p2pship.errors import ConfigError
from p2pship.interfaces import IApplicationMaker, IBearerMaker, ILookupMaker
from p2pship.plugins import (
    ApplicationMaker,
    BearerMaker,
    LookupMaker,
    PluginBroken,
    applications,
    bearers,
    lookups,
    make_all,
    sections,
)
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"


@dataclass(frozen=True)
class EchoSettings:
    """An echo."""

    enabled: bool = option(True, "Whether to echo.")


@dataclass(frozen=True)
class NoSwitch:
    """Settings without an ``enabled`` option."""

    volume: int = option(1, "How loud.")


class Echo(MemoryLookup):
    """A lookup that keeps what it was made with."""

    def __init__(self, *given: object) -> None:
        super().__init__(None, MemoryDirectory(), "echo")
        self.given = given


class CardTests(SynchronousTestCase):
    """A card tells what a plug-in is, and imports it only when asked."""

    def module(self, **names: object) -> LookupMaker:
        """Return the card of a module that has these names."""
        module = ModuleType("a_plugin_for_tests")
        vars(module).update(names)
        sys.modules[module.__name__] = module
        self.addCleanup(sys.modules.pop, module.__name__)
        return LookupMaker("echo", module.__name__, "an echo")

    def made(self, card: LookupMaker, *overrides: str) -> tuple[dict[str, Any], list[str]]:
        """Configure and make the plug-in as a node does; return what was made, and the log's warnings."""
        with capturedLogs() as events:
            config = load(None, sections([card]), overrides)
            made = make_all([card], "the reactor", config.section, "the node")
        warnings = [event for event in events if event["log_level"] is LogLevel.warn]
        return made, [f"{event['card']}: {event['reason']}" for event in warnings]

    def test_interfaces(self) -> None:
        """Each card is a plug-in of its kind, in the section of its kind."""
        for maker, interface, section in (
            (LookupMaker, ILookupMaker, "lookup.x"),
            (BearerMaker, IBearerMaker, "bearer.x"),
            (ApplicationMaker, IApplicationMaker, "application.x"),
        ):
            card = maker("x", "no.such.module", "nothing")
            verifyObject(IPlugin, card)
            verifyObject(interface, card)
            self.assertEqual(card.section, section)

    def test_made(self) -> None:
        """A plug-in is made with the reactor, its settings and the node."""
        card = self.module(SETTINGS=EchoSettings, make=Echo)
        ((name, made),) = self.made(card)[0].items()
        self.assertEqual((name, made.given), ("echo", ("the reactor", EchoSettings(), "the node")))

    def test_switched_off(self) -> None:
        """A plug-in whose ``enabled`` is false is not made, without a word."""
        card = self.module(SETTINGS=EchoSettings, make=lambda *arguments: arguments)
        self.assertEqual(self.made(card, "lookup.echo.enabled=false"), ({}, []))

    def test_missing_module(self) -> None:
        """One whose module is not there is off, and one line says what is missing."""
        card = LookupMaker("echo", "no_such_package_here", "an echo")
        self.assertEqual(
            self.made(card),
            ({}, ["lookup.echo: the Python package that has no_such_package_here is not installed"]),
        )

    def test_missing_library(self) -> None:
        """One whose library is found missing at its first use is off, and one line says what is missing."""

        def make(*arguments: object) -> object:
            import no_such_library_here  # type: ignore[import-not-found]

            return no_such_library_here

        self.assertEqual(
            self.made(self.module(SETTINGS=EchoSettings, make=make)),
            ({}, ["lookup.echo: the Python package that has no_such_library_here is not installed"]),
        )

    def test_without_settings(self) -> None:
        """A module without SETTINGS is off, and so is one with settings that no configuration could be read into."""

        @dataclass(frozen=True)
        class Bare:
            enabled: bool

        reason = (
            "lookup.echo: a_plugin_for_tests has no SETTINGS: a dataclass of options, one of which is enabled"
        )
        card = self.module()
        for settings in (None, 1, int, Bare, NoSwitch):
            vars(sys.modules[card.path])["SETTINGS"] = settings
            self.assertEqual(self.made(card), ({}, [reason]))

    def test_broken_make(self) -> None:
        """One whose ``make`` has a bug is off, and the bug is named."""

        def make(*arguments: object) -> object:
            raise TypeError("oops")

        self.assertEqual(
            self.made(self.module(SETTINGS=EchoSettings, make=make)),
            ({}, ["lookup.echo: it failed when made: TypeError('oops')"]),
        )

    def test_incomplete(self) -> None:
        """One whose lookup lacks what a lookup has is off, and what is missing is named."""
        echo = Echo()
        del echo.publishing
        making: list[object] = [echo, object()]
        card = self.module(SETTINGS=EchoSettings, make=lambda *arguments: making.pop(0))
        for missing in ("publishing", "ILookup"):
            made, (warning,) = self.made(card)
            self.assertEqual(made, {})
            self.assertTrue(warning.startswith("lookup.echo: what it made lacks something: "), warning)
            self.assertIn(missing, warning)

    def test_nothing_to_do(self) -> None:
        """One that has nothing to do as it is configured is off without a word."""
        card = self.module(SETTINGS=EchoSettings, make=lambda *arguments: None)
        self.assertEqual(self.made(card), ({}, []))

    def test_settings_refused(self) -> None:
        """One that refuses its settings is not passed over in silence: the node must not start without it."""

        def make(*arguments: object) -> object:
            raise ConfigError("no such certificate")

        card = self.module(SETTINGS=EchoSettings, make=make)
        self.assertRaises(ConfigError, self.made, card)

    def test_broken_module(self) -> None:
        """A module that fails in its own way when it is imported is broken, not the node."""
        card = LookupMaker("echo", "tests.brokenplugin", "an echo")
        error = self.assertRaises(PluginBroken, card.settings)
        self.assertEqual(str(error), "it failed when imported: ZeroDivisionError('division by zero')")


class BuiltInTests(SynchronousTestCase):
    """What comes with p2pship: a card that cannot be imported vanishes silently, so the names are listed here."""

    def test_names(self) -> None:
        """Each built-in plug-in is found."""
        self.assertEqual([card.name for card in lookups()], ["dns", "http", "lan", "mainline"])
        self.assertEqual([card.name for card in bearers()], ["hip", "tcp", "tls", "udp"])
        self.assertEqual([card.name for card in applications()], ["rendezvous"])

    def test_usable(self) -> None:
        """Each can be imported, and has an ``enabled`` option and a description."""
        for card in (*lookups(), *bearers(), *applications()):
            self.assertTrue(hasattr(card.settings()(), "enabled"), card.section)
            self.assertTrue(card.description)

    def test_observers(self) -> None:
        """The reference page of each lookup says what an observer of it learns."""
        for card in lookups():
            text = (REFERENCE / f"{card.name}-lookup.md").read_text(encoding="utf-8")
            self.assertRegex(text, "(?m)^## (What an observer learns|Who sees what)$", card.name)
