"""The seams of the node: what each part may ask of another, and what it is told.

Calls go down as *find, dial, send, cast*. Data comes up only to the receiver that was handed over at ``start`` or
``offer``, in methods named ``*_received`` or ``*_lost``. What happened is told to the journal.

Every Deferred that an interface returns may be cancelled; it then fails with
:class:`twisted.internet.defer.CancelledError` and what it had begun is undone. All methods are called in the reactor's
thread. Times are seconds; dates are Unix time in seconds, as ``reactor.seconds()`` gives it.
"""

from __future__ import annotations

from p2pship.interfaces.bearer import IBearer, ILink, ILinkReceiver, Seek
from p2pship.interfaces.identity import IDevice, IHostKeys, IIdentity, IKeyring
from p2pship.interfaces.lookup import (
    IAsksServers,
    IFinder,
    IFinding,
    IFindReceiver,
    ILookup,
    ISearch,
    ISearchReceiver,
)
from p2pship.interfaces.media import IMediaRelay, IMediaRelays
from p2pship.interfaces.network import INetwork
from p2pship.interfaces.overlay import IOverlay, IPeer, IPeopleReceiver, IReaching, IStream, ISubprotocol
from p2pship.interfaces.plugins import IApplicationMaker, IBearerMaker, ILookupMaker, INode, IPluginMaker
from p2pship.interfaces.sip import ISIPHop
from p2pship.interfaces.trust import IAcquaintances, IScreening, IScreenRule, ITrustPolicy, IVoucher

__all__ = [
    "IAcquaintances",
    "IApplicationMaker",
    "IAsksServers",
    "IBearer",
    "IBearerMaker",
    "IDevice",
    "IFindReceiver",
    "IFinder",
    "IFinding",
    "IHostKeys",
    "IIdentity",
    "IKeyring",
    "ILink",
    "ILinkReceiver",
    "ILookup",
    "ILookupMaker",
    "IMediaRelay",
    "IMediaRelays",
    "INetwork",
    "INode",
    "IOverlay",
    "IPeer",
    "IPeopleReceiver",
    "IPluginMaker",
    "IReaching",
    "ISIPHop",
    "IScreenRule",
    "IScreening",
    "ISearch",
    "ISearchReceiver",
    "IStream",
    "ISubprotocol",
    "ITrustPolicy",
    "IVoucher",
    "Seek",
]
