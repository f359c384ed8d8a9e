"""From the name of a node's host to the addresses at which it is asked: its own, or its rendezvous servers' (RFC 8005 §4.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from p2pship.lookup.dns.answers import addresses, hosts, lifetime
from p2pship.lookup.dns.asker import Asker
from p2pship.lookup.dns.kept import Kept
from p2pship.trust.dnssec import Ask, DNSFailed

if TYPE_CHECKING:
    from dns.message import Message

HOST_TIME = 1.5
"Seconds for the addresses of a host: a lookup has 3, and has asked for the domain's hosts before."

IDENTITY_TIME = 0.5
"Seconds at the least for HIP records, which few hosts have."

ADDRESS_TIME = 0.7
"Seconds for one answer: the addresses of rendezvous servers are asked for when the HIP records are there."

MOST_ADDRESSES = 4
"Addresses of one host that are asked: of IPv4 and IPv6 at two places."

MOST_RENDEZVOUS = 2
"Rendezvous servers of one host whose addresses are looked for."

ADDRESSES = ("A", "AAAA")
"The types of records that have them."


@dataclass(frozen=True, slots=True)
class Host:
    """A host that may have a node."""

    name: str
    addresses: tuple[str, ...]
    "where it is asked, in their canonical spelling: nothing has been said of whether that is wise"
    hits: tuple[bytes, ...] = ()
    "the HITs that its HIP records name, which are those of their keys; a hint, as everything else"


class Hosts:
    """Asks the DNS with ``ask`` and keeps the answers."""

    def __init__(self, ask: Ask, clock: IReactorTime) -> None:
        self._asker = Asker(ask, clock)
        self._kept: Kept[Host] = Kept(clock, self._look, HOST_TIME)

    def host(self, name: str) -> Deferred[Host]:
        """Return where a host is asked, by its name with the last dot; fails with DNSFailed if the DNS does not answer."""
        return self._kept.get(name)

    def forget(self) -> None:
        """Keep nothing of what was answered."""
        self._kept.forget()

    def stop(self) -> None:
        """Ask no more."""
        self._kept.stop()

    async def _look(self, name: str) -> tuple[Host, int]:
        identity, *own = await self._asker.all_and_rare(
            (name, "HIP"), [(name, kind) for kind in ADDRESSES], ADDRESS_TIME, IDENTITY_TIME
        )
        known = hosts(identity) if identity is not None else ()
        servers = tuple(dict.fromkeys(server for each in known for server in each.servers))
        others = [server for server in servers if server != name][:MOST_RENDEZVOUS]
        there = await self._asker.all([(other, kind) for other in others for kind in ADDRESSES], ADDRESS_TIME)
        needed = [*there, *(own if not servers or name in servers else ())]
        answers = _answers(needed)
        every = tuple(dict.fromkeys(address for each in answers for address in addresses(each)))
        if not every and None in needed:
            raise DNSFailed(f"the DNS does not answer for {name}, or is not believed")
        found = Host(name, every[:MOST_ADDRESSES], tuple(each.hit for each in known))
        return found, min(map(lifetime, _answers([identity, *answers])))


def _answers(answers: Iterable[Message | None]) -> list[Message]:
    return [each for each in answers if each is not None]
