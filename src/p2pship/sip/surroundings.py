"""What the SIP part of a node works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from p2pship.interfaces import IAcquaintances, IKeyring, IMediaRelays, IOverlay, IScreening
from p2pship.journal import Journal
from p2pship.sip.bindings import Bindings
from p2pship.sip.callbook import CallBook
from p2pship.sip.gate import Secrets
from p2pship.sip.hops import PhoneHops
from p2pship.sip.names import OwnNames
from p2pship.sip.registrar import Registrar


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Its neighbours in the node, and what is shared with them."""

    reactor: IReactorTime
    journal: Journal
    random: Callable[[int], bytes]
    names: OwnNames
    "which names are this node's"
    keyring: IKeyring
    overlay: IOverlay
    relays: IMediaRelays
    hops: PhoneHops
    "finds the way to a phone"
    bindings: Bindings
    "the phones that are registered"
    registrar: Registrar
    book: CallBook
    screening: IScreening
    "decides who may reach our phones"
    acquaintances: IAcquaintances
    "hears who was talked to"
    phones: Secrets
    "knows what proves the phones of other machines"
