"""From a domain to those who may be asked for its people: NAPTR, SRV and TXT records (``docs/reference/dns-lookup.md``).

Theory of operation. The names at which records usually are, and the NAPTR records that may say that they are elsewhere, are asked
for at once; only what NAPTR records name has to be asked for afterwards. Nothing else leads from one name to another, so that
there are no ways in circles. Then SRV records are believed before TXT records, which are for domains whose
administrators cannot have SRV. All this is a hint: whoever is asked can say what they want, and papers decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from p2pship.lookup.dns.answers import Pointer, Service, is_denied, lifetime, pointers, services, texts
from p2pship.lookup.dns.asker import Asker
from p2pship.lookup.dns.kept import Kept
from p2pship.lookup.dns.order import in_order
from p2pship.lookup.http.address import PORTS, BadServer, ServerAddress
from p2pship.lookup.questions.targets import LOWEST_PORT
from p2pship.trust.dnssec import Ask, DNSFailed

if TYPE_CHECKING:
    from dns.message import Message

SERVER_LABELS = "_p2pship-rendezvous._tcp"
"Before the domain: where the SRV records of its rendezvous servers are."

NODE_LABELS = "_p2pship._udp"
"Before the domain: where the SRV records of its nodes are, which answer questions."

TEXT_LABEL = "_p2pship"
"Before the domain: where the TXT record is."

SERVER_SERVICE, NODE_SERVICE = "P2PSHIP+D2H", "P2PSHIP+D2U"
"What NAPTR records call the two: to HTTPS, and to questions over UDP."

DISCOVERY_TIME = 2.0
"Seconds for all of it: a lookup has 3."

ANSWER_TIME = 1.4
"Seconds for one answer: the question is repeated twice meanwhile, and what NAPTR records lead to is left half a second."

POINTER_TIME = 0.5
"Seconds at the least for the NAPTR records, which few domains have; and at the most for what they lead to."

MOST_POINTERS = 2
"NAPTR records that are followed for one service, at one round trip more."

MOST_SERVERS = 4
"Rendezvous servers of a domain that are asked in one search."

MOST_NODES = 4
"Hosts of nodes of a domain whose addresses are looked for in one search: each costs three questions to the DNS."

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+/?")
"A folder on a server; nothing that could become part of its name or port, or a question."

NOTHING_KEPT = 300
"Seconds for which it is kept that a domain says nothing."


@dataclass(frozen=True, slots=True)
class Directions:
    """Who may be asked for the people of a domain."""

    servers: tuple[ServerAddress, ...] = ()
    "its rendezvous servers, https all of them, those first that are to be asked first"
    nodes: tuple[Service, ...] = ()
    "its nodes in that order"
    passed_over: tuple[str, ...] = ()
    "servers and nodes that it names at ports that are not asked, for its administrator to read"

    def __bool__(self) -> bool:
        return bool(self.servers or self.nodes)


class Discovery:
    """Asks the DNS with ``ask`` and keeps the answers; ``random`` is for the order among hosts of one priority."""

    def __init__(self, ask: Ask, clock: IReactorTime, random: Callable[[int], bytes]) -> None:
        self._asker = Asker(ask, clock)
        self._random = random
        self._kept: Kept[Directions] = Kept(clock, self._look, DISCOVERY_TIME)

    def directions(self, domain: str) -> Deferred[Directions]:
        """Return who may be asked for the people of a canonical domain; fails with DNSFailed if the DNS does not answer."""
        return self._kept.get(domain)

    def forget(self) -> None:
        """Keep nothing of what was answered."""
        self._kept.forget()

    def stop(self) -> None:
        """Ask no more."""
        self._kept.stop()

    async def _look(self, domain: str) -> tuple[Directions, int]:
        naptr, server, node, text = await self._asker.all_and_rare(
            (f"{domain}.", "NAPTR"),
            [
                (f"{SERVER_LABELS}.{domain}.", "SRV"),
                (f"{NODE_LABELS}.{domain}.", "SRV"),
                (f"{TEXT_LABEL}.{domain}.", "TXT"),
            ],
            ANSWER_TIME,
            POINTER_TIME,
        )
        elsewhere = pointers(naptr) if naptr is not None else ()
        at_servers, at_nodes = await gatherResults(
            [
                Deferred.fromCoroutine(self._elsewhere(elsewhere, SERVER_SERVICE, server)),
                Deferred.fromCoroutine(self._elsewhere(elsewhere, NODE_SERVICE, node)),
            ],
            consumeErrors=True,
        )
        found = self._directions(at_servers, text, at_nodes)
        needed = [text, *at_servers, *at_nodes]
        if not found and None in (naptr, *needed):
            raise DNSFailed(f"the DNS does not answer for {domain}, or is not believed")
        answers = [each for each in (naptr, *needed) if each is not None]
        lifetimes = [lifetime(each) for each in answers if each.answer]
        if None in needed:  # what was lost is asked for again soon
            return found, 0
        return found, min(lifetimes, default=NOTHING_KEPT) if found else NOTHING_KEPT

    async def _elsewhere(
        self, elsewhere: Iterable[Pointer], service: str, usual: Message | None
    ) -> list[Message | None]:
        """Return the answers with the SRV records of a service: those that NAPTR records name, or else the usual one."""
        named = sorted(
            (each for each in elsewhere if each.service == service),
            key=lambda each: (each.order, each.preference),
        )
        first = [each for each in named if each.order == named[0].order][:MOST_POINTERS]
        if not first:
            return [usual]
        return await self._asker.all([(each.target, "SRV") for each in first], POINTER_TIME)

    def _directions(
        self, at_servers: list[Message | None], text: Message | None, at_nodes: list[Message | None]
    ) -> Directions:
        servers = self._servers(at_servers, text)
        nodes = in_order(_all(at_nodes), self._random)
        return Directions(
            tuple(each for each in servers if _may_be_asked(each.port))[:MOST_SERVERS],
            tuple(each for each in nodes if each.port >= LOWEST_PORT)[:MOST_NODES],
            (
                *[str(each) for each in servers if not _may_be_asked(each.port)][:MOST_SERVERS],
                *[f"{each.target[:-1]}:{each.port}" for each in nodes if each.port < LOWEST_PORT][
                    :MOST_NODES
                ],
            ),
        )

    def _servers(self, answers: list[Message | None], text: Message | None) -> tuple[ServerAddress, ...]:
        if any(is_denied(each) for each in answers if each is not None):
            return ()
        said = texts(text) if text is not None else ()
        paths = (value for values in said for value in values.get("path", ()) if _PATH.fullmatch(value))
        path = next(paths, "")
        ordered = in_order(_all(answers), self._random)
        named = [f"https://{each.target[:-1]}:{each.port}{path}" for each in ordered]
        named = named or [value for values in said for value in values.get("rendezvous", ())]
        return tuple(dict.fromkeys(_addresses(named)))


def _all(answers: Iterable[Message | None]) -> list[Service]:
    return [each for answer in answers if answer is not None for each in services(answer)]


def _addresses(texts: Iterable[str]) -> Iterable[ServerAddress]:
    for text in texts:
        try:
            address = ServerAddress.parse(text)
        except BadServer:
            continue
        if address.encrypted:
            yield address


def _may_be_asked(port: int) -> bool:
    return port == PORTS["https"] or port >= LOWEST_PORT
