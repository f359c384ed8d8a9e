"""Runs alone in a network namespace: the watcher sees interfaces and addresses come and go, as the kernel tells."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from p2pship.network import NetworkWatcher
from p2pship.testing.namespace import ip


class Changes:
    """Waits until the watcher's list is as expected."""

    def __init__(self, watcher: NetworkWatcher) -> None:
        self._watcher = watcher
        self._waiting: Deferred[None] | None = None
        self.end = watcher.watch(self._changed)

    def _changed(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    async def until(self, name: str, addresses: set[str] | None) -> None:
        """Wait until an interface has these addresses among its own; None: until it is not there."""
        while not self._is(name, addresses):
            self._waiting = Deferred()
            await self._waiting

    def _is(self, name: str, addresses: set[str] | None) -> bool:
        found = [each for each in self._watcher.interfaces() if each.name == name]
        if not found or addresses is None:
            return not found and addresses is None
        return addresses <= {host for host, _ in found[0].addresses}


async def main(reactor: Any) -> None:
    watcher = NetworkWatcher(reactor)
    changes = Changes(watcher)
    await changes.until("lo", {"127.0.0.1"})
    ip("link add veth0 type veth peer name veth1")
    ip("addr add 10.5.0.1/24 dev veth0")
    assert [each.name for each in watcher.interfaces()] == ["lo"], "an interface that is down is not listed"
    ip("link set veth0 up")
    ip("link set veth1 up")
    await changes.until("veth0", {"10.5.0.1"})
    veth0 = watcher.interfaces()[-1]
    assert ("10.5.0.1", 24) in veth0.addresses and veth0.multicast and not veth0.loopback, veth0
    assert not any("%" in host for host, _ in veth0.addresses), veth0
    ip("addr add 10.6.0.1/16 dev veth0")
    await changes.until("veth0", {"10.5.0.1", "10.6.0.1"})
    ip("link set veth0 down")
    await changes.until("veth0", None)
    ip("link set veth0 up")
    await changes.until("veth0", {"10.6.0.1"})
    ip("link del veth0")
    await changes.until("veth0", None)
    changes.end()
    print("ok")


react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
