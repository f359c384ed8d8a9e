"""All interfaces as the LAN lookup uses them, kept in step with those that there are.

One that cannot be used is off by itself, is named once in the log with the reason, and is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger

from p2pship.interfaces import INetwork
from p2pship.journal import Journal
from p2pship.lookup.lan.attachment import Attachment, TakeAnswer, TakeQuestion
from p2pship.lookup.lan.settings import LANSettings
from p2pship.lookup.lan.sockets import Group, own_addresses
from p2pship.network import Interface

FIRST_RETRY, LAST_RETRY = 1.0, 60.0
"""Seconds until what could not be opened is tried again: first one, as for about that long a new IPv6 address is tested
for duplicates and cannot be used (RFC 4862 §5.4), then twice as long each time."""

PATIENCE = 2.5
"Seconds for which an attachment may fail before the log says so: the test, which begins up to a second late, is over then."

Key = tuple[Group, int]
"A group and the index of an interface."


@dataclass(slots=True)
class _Failure:
    """What keeps an attachment from being used."""

    since: float
    reason: str = ""
    told: str = ""
    "what the log has said of it"


class Attachments:
    """Opens an attachment for each group on each usable interface, and closes it when the interface goes."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: LANSettings,
        network: INetwork,
        question: TakeQuestion,
        answer: TakeAnswer,
        journal: Journal,
    ) -> None:
        self._reactor = reactor
        self._names = settings.interfaces
        self._absent: set[str] = set()
        self._groups = (Group(settings.group, settings.port), Group(settings.group6, settings.port))
        self._network = network
        self._question = question
        self._answer = answer
        self._journal = journal
        self._open: dict[Key, Attachment] = {}
        self._failures: dict[Key, _Failure] = {}
        self._end_watch: Callable[[], None] | None = None
        self._retry: Any = None
        self._delay = FIRST_RETRY

    def start(self) -> None:
        """Open what can be opened now, and follow the network from now on."""
        self._end_watch = self._network.watch(self._network_changed)
        self._follow()

    def stop(self) -> None:
        """Close everything."""
        if self._end_watch is not None:
            self._end_watch()
            self._end_watch = None
        self._stop_retry()
        for key in tuple(self._open):
            self._close(key)

    def ask(self, datagram: bytes) -> bool:
        """Send a question everywhere; returns whether it could be sent anywhere."""
        sent = [self._ask(key, attachment, datagram) for key, attachment in self._open.items()]
        return any(sent)

    def why_not(self) -> str:
        """Return why nothing can be sent, in words."""
        reasons = {failure.reason for failure in self._failures.values()}
        return "; ".join(sorted(reasons)) or "there is no usable interface"

    def _ask(self, key: Key, attachment: Attachment, datagram: bytes) -> bool:
        try:
            attachment.ask(datagram)
        except OSError as error:
            self._failed(key, attachment.interface, error)
            return False
        self._failures.pop(key, None)
        return True

    def _network_changed(self) -> None:
        self._stop_retry()
        self._delay = FIRST_RETRY
        self._follow()

    def _follow(self) -> None:
        self._say_absent()
        wanted = dict(self._wanted())
        for key, attachment in tuple(self._open.items()):
            if wanted.get(key) != attachment.interface:
                self._close(key)
        for key in self._failures.keys() - wanted.keys():
            del self._failures[key]
        for key in wanted.keys() - self._open.keys():
            self._attach(key, wanted[key])
        if wanted.keys() - self._open.keys():
            self._try_again()

    def _say_absent(self) -> None:
        """Say once which of the interfaces named in the configuration are not there: a name may be mistyped."""
        absent = set(self._names) - {interface.name for interface in self._network.interfaces()}
        for name in sorted(absent - self._absent):
            self.log.warn(
                "there is no interface {name} (lookup.lan.interfaces): it is used when it comes up", name=name
            )
        self._absent = absent

    def _wanted(self) -> Iterator[tuple[Key, Interface]]:
        for interface in self._network.interfaces():
            if self._names and interface.name not in self._names:
                continue
            for group in self._groups:
                if _is_usable(interface, group):
                    yield (group, interface.index), interface

    def _attach(self, key: Key, interface: Interface) -> None:
        attachment = Attachment(
            key[0], interface, self._question, self._answer, lambda: self._lost(key), self._journal
        )
        try:
            attachment.open(self._reactor)
        except OSError as error:
            self._failed(key, interface, error)
            return
        self._failures.pop(key, None)
        self._open[key] = attachment

    def _close(self, key: Key) -> None:
        self._open.pop(key).close()

    def _lost(self, key: Key) -> None:
        if key in self._open:
            self._close(key)
            self._try_again()

    def _try_again(self) -> None:
        if self._retry is None and self._end_watch is not None:
            self._retry = self._reactor.callLater(self._delay, self._retry_now)
            self._delay = min(2 * self._delay, LAST_RETRY)

    def _stop_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _retry_now(self) -> None:
        self._retry = None
        self._follow()

    def _failed(self, key: Key, interface: Interface, error: OSError) -> None:
        """Keep why an attachment cannot be used, and log it if that lasts and is news."""
        now = self._reactor.seconds()
        failure = self._failures.setdefault(key, _Failure(now))
        failure.reason = f"{interface.name}: {error.strerror or error}"
        if now - failure.since < PATIENCE or failure.told == failure.reason:
            return
        failure.told = failure.reason
        self.log.warn(
            "the local network cannot be asked on {name} ({group}), which is tried again: {error}",
            name=interface.name,
            group=key[0].host,
            error=error.strerror or error,
        )


def _is_usable(interface: Interface, group: Group) -> bool:
    """Tell whether a group can be joined on an interface.

    Linux has no IPv6 multicast on loopback; IPv4, which every machine has there, serves its own nodes.
    """
    if interface.loopback and group.is_ipv6:
        return False
    return (interface.multicast or interface.loopback) and bool(own_addresses(interface, group))
