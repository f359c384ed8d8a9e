"""How a running node stands: what is said of it when somebody asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred, DeferredSemaphore

from p2pship import __version__
from p2pship.checkup import checkup
from p2pship.desk import Desk
from p2pship.errors import LocalError
from p2pship.identity.aor import canonical_aor
from p2pship.interfaces import IBearer
from p2pship.lookup.chain import LookupChain
from p2pship.lookup.collected import collect, find_status
from p2pship.lookup.publisher import Publisher
from p2pship.lookup.trace import KeptTrace
from p2pship.media.relay import MediaRelays
from p2pship.overlay.switchboard import Switchboard
from p2pship.sip.livecalls import live_calls
from p2pship.status import CallLine, CallStatus, CallStory, Finding, FindStatus, Status, TraceStep
from p2pship.telephony import Telephony
from p2pship.trust.screensettings import ScreenSettings

MOST_FINDS = 16
"Commands `find` under way; more wait, so that a script with many names leaves the lookups to calls as well."

RECENT_CALLS = 20
"Calls that are listed when nobody says how many: a screen."

Tell: TypeAlias = Callable[[TraceStep], object]
"Is told a step of a search."


class Standing:
    """Reads what the parts of a node say of themselves; it changes nothing."""

    def __init__(
        self,
        desk: Desk,
        *,
        publisher: Publisher,
        bearers: Mapping[str, IBearer],
        chain: LookupChain,
        overlay: Switchboard,
        relays: MediaRelays,
        telephony: Telephony,
    ) -> None:
        self._desk = desk
        self._publisher = publisher
        self._bearers = bearers
        self._chain = chain
        self._overlay = overlay
        self._relays = relays
        self._telephony = telephony
        self._finds = DeferredSemaphore(MOST_FINDS)

    def status(self) -> Status:
        """Say how the node is."""
        telephony = self._telephony
        at, elsewhere = str(telephony.transport.address), telephony.elsewhere
        return {
            "version": __version__,
            "state": str(self._desk.state),
            "sip": {
                "udp": at,
                "tcp": at,
                "port": telephony.transport.port,
                "wanted": telephony.settings.port,
                "changed": telephony.port_changed,
                "network": str(elsewhere.address) if elsewhere is not None else "",
            },
            "domain": telephony.settings.domain,
            "strangers": self._desk.config.get(ScreenSettings).strangers,
            "bearers": [
                {
                    "name": name,
                    "encrypted": bearer.encrypted,
                    "locators": [str(at) for at in bearer.locators()],
                }
                for name, bearer in self._bearers.items()
            ],
            "lookups": self._publisher.status(),
            "identities": len(self._desk.keyring.identities()),
            "phones": sum(1 for _ in telephony.bindings),
            "peers": [
                {"own": peer.identity.aor, "aor": peer.aor, "path": peer.path, "encrypted": peer.encrypted}
                for peer in self._overlay.peers()
            ],
            "calls": len(self.live_calls()),
            "counts": self._counts(),
        }

    def _counts(self) -> dict[str, int]:
        proxy = self._telephony.proxy
        transactions = proxy.layer.counts
        return {
            **self._desk.journal.counts,
            "relays": self._relays.count,
            "client_transactions": transactions.clients,
            "server_transactions": transactions.servers,
            "dialogs": len(proxy.calls.dialogs),
            "pending": proxy.pending,
            "watched": sum(peer.watched for peer in self._overlay.peers()),
            "descriptors": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
        }

    def checkup(self) -> list[Finding]:
        """Say what is well and what is not."""
        now, doubt = self._desk.clock.seconds(), self._chain.clock_doubt
        return checkup(self.status(), doubt.words(now), doubt.witnesses(now))

    def live_calls(self) -> list[CallStatus]:
        """Describe the calls that are ringing or up."""
        return live_calls(
            self._telephony.proxy.calls.dialogs, self._telephony.book, self._desk.clock.seconds()
        )

    def recent_calls(self, arguments: Mapping[str, Any]) -> list[CallLine]:
        """Describe the latest calls, the latest first: as many as ``number`` in the arguments says."""
        number = arguments.get("number", RECENT_CALLS)
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise LocalError(f"number = {number!r:.40}: give how many calls, 1 or more")
        return self._telephony.book.recent(number)

    def story(self, arguments: Mapping[str, Any]) -> CallStory:
        """Tell the story of the call that ``id`` in the arguments names."""
        return self._telephony.book.story(str(arguments.get("id", "")))

    def find(self, arguments: Mapping[str, Any], tell: Tell | None = None) -> Deferred[FindStatus]:
        """Search every lookup for a person, and say who answered, with ``trace`` each step; nothing is told from memory.

        ``tell`` is told each step as it happens, in place of all of them in the end.

        :raises BadAOR: if ``aor`` in the arguments is no name.
        :raises LocalError: if no identity is there to ask for.
        """
        name = canonical_aor(str(arguments.get("aor", "")))
        # A name at this node's own address is one at its domain.
        aor = self._telephony.names.aor(f"sip:{name}")
        own = self._desk.keyring.default
        if own is None:
            raise LocalError(
                "there is nobody here in whose name to ask: register a phone, or `p2pship identity create alice@example.com`"
            )
        if not arguments.get("trace"):
            return self._finds.run(collect, self._chain.find, aor, own).addCallback(find_status, aor)
        trace = KeptTrace(self._desk.clock.seconds, tell)
        collecting = self._finds.run(collect, partial(self._chain.find, trace=trace), aor, own)
        return collecting.addCallback(
            lambda collected: find_status(collected, aor, () if tell else trace.steps())
        )


def _find(standing: Standing, arguments: dict[str, Any]) -> Any:
    if arguments.get("trace") and arguments.get("follow"):
        return partial(standing.find, arguments)
    return standing.find(arguments)


def commands(standing: Callable[[], Standing]) -> dict[str, Callable[[dict[str, Any]], Any]]:
    """Return what a control socket answers of it, by name; ``standing`` is asked at each command."""
    return {
        "status": lambda _: standing().status(),
        "doctor": lambda _: standing().checkup(),
        "find": lambda arguments: _find(standing(), arguments),
        "calls": lambda _: standing().live_calls(),
        "calls recent": lambda arguments: standing().recent_calls(arguments),
        "calls why": lambda arguments: standing().story(arguments),
    }
