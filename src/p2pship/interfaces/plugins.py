"""The seams of plug-ins: their cards, and what they may use of the node that they are in."""

from __future__ import annotations

from zope.interface import Attribute, Interface


class IPluginMaker(Interface):
    """The card of a plug-in: what there is to know of it before it is imported (see :mod:`p2pship.plugins`)."""

    name = Attribute("str: lower-case: the last part of its section, and its word in the log")
    section = Attribute("str: its section of the configuration, such as ``lookup.lan``")
    description = Attribute("str: what it does, for people")

    def settings() -> type:
        """Import the plug-in and return the dataclass of its section.

        :raises PluginBroken: if it cannot be imported, as when a library it needs is not installed.
        """

    def make(reactor: object, settings: object, node: INode) -> object:
        """Return what the card is for; it does nothing before it is started.

        :raises PluginBroken: if that fails, other than with an error of this project.
        """


class ILookupMaker(IPluginMaker):
    """The card of a lookup that can be made: ``make`` returns an ILookup."""


class IBearerMaker(IPluginMaker):
    """The card of a bearer that can be made: ``make`` returns an IBearer."""


class IApplicationMaker(IPluginMaker):
    """The card of an application that can be made: ``make`` returns a Twisted IService."""


class INode(Interface):
    """What a lookup, a bearer or an application may use of the node that it is in."""

    keyring = Attribute("IKeyring")
    network = Attribute("INetwork")
    journal = Attribute("p2pship.journal.Journal")
    random = Attribute("Callable[[int], bytes]: octets that nobody can guess, as os.urandom")
    state = Attribute(
        "pathlib.Path: the node's folder, where a plug-in may keep a file of its own that bears its name"
    )
    clock_doubt = Attribute(
        "p2pship.lookup.clockdoubt.ClockDoubt: hears what other clocks say, for `p2pship doctor`"
    )
    ports = Attribute("p2pship.storage.ports.Ports: listening ports that are kept from one run to the next")
