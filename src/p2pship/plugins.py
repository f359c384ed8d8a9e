"""Plug-in cards: what lookups, bearers and applications there are, without importing any of them.

A card names a module. That module has ``SETTINGS``, the dataclass of its section (see :mod:`p2pship.config`), with an
``enabled`` option, and ``make(reactor, settings, node)``. It is imported when its section is read, and imports its
optional libraries at first use. One that cannot be imported or made is off, which the log says in one line: a node runs
without it. Anybody's package may add cards, in its own ``twisted/plugins`` folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

from twisted.application.service import IService
from twisted.logger import Logger
from twisted.plugin import IPlugin, getPlugins
from zope.interface import Interface, Invalid, implementer
from zope.interface.verify import verifyObject

from p2pship.errors import LocalError, P2PShipError
from p2pship.interfaces import IApplicationMaker, IBearer, IBearerMaker, ILookup, ILookupMaker, IPluginMaker

log = Logger()


class PluginBroken(LocalError):
    """The plug-in cannot be used: the message says why."""


@dataclass(frozen=True)
class Card:
    """What there is to know of a plug-in before it is imported; the kinds of plug-in are subclasses."""

    name: str
    "lower-case: its section, its word in the log, and for a bearer the first part of its locators"
    path: str
    "the dotted path of its module"
    description: str
    "what it does, for people: ``multicast on the local network``"

    kind: ClassVar[str]
    makes: ClassVar[type[Interface]]
    "what the thing that it makes has to provide"

    @property
    def section(self) -> str:
        """The section of the configuration, such as ``lookup.lan``."""
        return f"{self.kind}.{self.name}"

    def settings(self) -> type:
        """Import the plug-in and return the dataclass of its section.

        :raises PluginBroken: if it cannot be imported, as when a library it needs is not installed.
        """
        settings = getattr(self._module(), "SETTINGS", None)
        if not isinstance(settings, type) or not _is_section(settings):
            raise PluginBroken(
                f"{self.path} has no SETTINGS: a dataclass of options, one of which is enabled"
            )
        return settings

    def make(self, reactor: Any, settings: Any, node: Any) -> Any:
        """Return a new lookup, bearer or application, which does nothing before it is started; None if it has nothing to do.

        :raises PluginBroken: if that fails, other than with an error of this project.
        """
        try:
            made = self._module().make(reactor, settings, node)
            if made is not None:
                verifyObject(self.makes, made)
            return made
        except P2PShipError:
            raise
        except ImportError as error:
            raise PluginBroken(_missing(error)) from error
        except Invalid as error:
            raise PluginBroken(f"what it made lacks something: {' '.join(str(error).split())}") from error
        except Exception as error:
            raise PluginBroken(f"it failed when made: {error!r}") from error

    def _module(self) -> ModuleType:
        try:
            return import_module(self.path)
        except ImportError as error:
            raise PluginBroken(_missing(error)) from error
        except Exception as error:
            raise PluginBroken(f"it failed when imported: {error!r}") from error


def _is_section(settings: type) -> bool:
    """Tell whether a class is what :mod:`p2pship.config` reads, so that a plug-in's mistake is found here."""
    if not is_dataclass(settings):
        return False
    declared = {item.name: item for item in fields(settings)}
    return "enabled" in declared and all("doc" in item.metadata for item in declared.values())


def _missing(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"the Python package that has {error.name} is not installed"
    return str(error)


@implementer(IPlugin, ILookupMaker)
class LookupMaker(Card):
    """The card of a lookup; makes an :class:`~p2pship.interfaces.ILookup`."""

    kind = "lookup"
    makes = ILookup


@implementer(IPlugin, IBearerMaker)
class BearerMaker(Card):
    """The card of a bearer; makes an :class:`~p2pship.interfaces.IBearer`."""

    kind = "bearer"
    makes = IBearer


@implementer(IPlugin, IApplicationMaker)
class ApplicationMaker(Card):
    """The card of an application; what it makes the node starts and stops as a Twisted service."""

    kind = "application"
    makes = IService


def lookups() -> list[ILookupMaker]:
    """Return the cards of all lookups, by name."""
    return _by_name(getPlugins(ILookupMaker))


def bearers() -> list[IBearerMaker]:
    """Return the cards of all bearers, by name."""
    return _by_name(getPlugins(IBearerMaker))


def applications() -> list[IApplicationMaker]:
    """Return the cards of all applications, by name."""
    return _by_name(getPlugins(IApplicationMaker))


def _by_name(cards: Iterable[Any]) -> list[Any]:
    found: dict[str, Any] = {}
    for card in cards:
        if found.setdefault(card.name, card) is not card:
            log.warn("a second {card} is ignored: the name is taken", card=card.section)
    return [found[name] for name in sorted(found)]


def sections(cards: Iterable[IPluginMaker]) -> dict[str, type | None]:
    """Return the section of each card with its dataclass; None, after a line in the log, where the plug-in is broken."""
    return {card.section: _usable(card) for card in cards}


def _usable(card: IPluginMaker) -> type | None:
    try:
        return card.settings()
    except PluginBroken as error:
        _off(card, error)
        return None


def make_all(
    cards: Iterable[IPluginMaker], reactor: Any, section: Callable[[str], Any | None], node: Any
) -> dict[str, Any]:
    """Make every plug-in that is enabled and works, and return each by its name.

    ``section`` is :meth:`p2pship.config.Config.section`. A plug-in that cannot be made is off, after a line in the log;
    one that has nothing to do as it is configured makes None. One that refuses its settings (ConfigError, LocalError) is not
    passed over: that is raised.
    """
    made: dict[str, Any] = {}
    for card in cards:
        settings = section(card.section)
        if settings is None or not settings.enabled:
            continue
        try:
            plugin = card.make(reactor, settings, node)
        except PluginBroken as error:
            _off(card, error)
            continue
        if plugin is not None:
            made[card.name] = plugin
    return made


def _off(card: IPluginMaker, error: PluginBroken) -> None:
    log.warn("{card} is off: {reason}", card=card.section, reason=str(error))
