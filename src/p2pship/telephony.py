"""What a node has for phones: where they register, which there are, and the proxy that carries their calls; built and wired."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from p2pship.desk import Desk
from p2pship.interfaces import IMediaRelays, INetwork, IOverlay
from p2pship.sip.admission import Admission
from p2pship.sip.bindings import Bindings
from p2pship.sip.callbook import CallBook
from p2pship.sip.intake import Intake
from p2pship.sip.listeners import Listeners
from p2pship.sip.names import OwnNames
from p2pship.sip.proxy import SIPProxy
from p2pship.sip.registrar import Registrar
from p2pship.sip.settings import SIPNetworkSettings, SIPSettings, check_listeners
from p2pship.sip.subprotocol import SIPSubprotocol
from p2pship.sip.surroundings import Surroundings
from p2pship.sip.transport import PhoneTransport
from p2pship.storage.ports import Ports


class Telephony:
    """SIP of one node: its subprotocol is offered as soon as it is made, phones are heard from :meth:`listen` on."""

    def __init__(
        self, reactor: Any, desk: Desk, overlay: IOverlay, relays: IMediaRelays, network: INetwork
    ) -> None:
        """Build and wire it.

        :raises ConfigError: if phones of other machines would have two places to register at.
        """
        self._reactor = reactor
        self._desk = desk
        self._network = network
        self.settings = desk.config.get(SIPSettings)
        self._network_settings = desk.config.get(SIPNetworkSettings)
        check_listeners(self.settings, self._network_settings)
        self._intake = Intake(reactor, desk.journal)
        self.transport = PhoneTransport(reactor, self, desk.journal, self._intake)
        self._network_transport = PhoneTransport(
            reactor, self, desk.journal, self._intake, trusts_loopback=False
        )
        self.names = OwnNames(self.settings.domain, self._own_addresses)
        self.bindings = Bindings(reactor, desk.database)
        self.book = CallBook(reactor, desk.database, desk.random)
        self.proxy = self._build_proxy(overlay, relays)
        self.message_received = self.proxy.layer.message_received
        self.port_changed = False
        "whether phones register at another port than before"
        overlay.offer(SIPSubprotocol(self.proxy, self._intake))

    @property
    def elsewhere(self) -> PhoneTransport | None:
        """The transport towards phones of other machines, None where none are served."""
        return self._network_transport if self._network_settings.listen else None

    def _build_registrar(self) -> Registrar:
        registrar = Registrar(
            self._reactor,
            self.names,
            self.bindings,
            self._desk.keyring,
            self._desk.journal,
            self._desk.random,
            Admission.of(self.settings, self._network_settings),
        )
        self._desk.phones.watch(registrar.end_phone)
        self._desk.keyring.watch(registrar.identity_changed)
        return registrar

    def _build_proxy(self, overlay: IOverlay, relays: IMediaRelays) -> SIPProxy:
        desk = self._desk
        around = Surroundings(
            reactor=self._reactor,
            names=self.names,
            keyring=desk.keyring,
            overlay=overlay,
            relays=relays,
            registrar=self._build_registrar(),
            bindings=self.bindings,
            hops=Listeners(self.transport, self.elsewhere),
            journal=desk.journal,
            random=desk.random,
            book=self.book,
            screening=desk.screening,
            acquaintances=desk.trust,
            phones=desk.phones,
        )
        return SIPProxy(around, anonymous=self.settings.anonymous, digest=self.settings.digest)

    def _own_addresses(self) -> Iterable[str]:
        return (host for interface in self._network.interfaces() for host, _prefix in interface.addresses)

    def listen(self, ports: Ports) -> None:
        """Open the sockets at which phones register, at ports that are kept from one run to the next.

        :raises ConfigError: if an address or port cannot be had.
        """
        sip, network = self.settings, self._network_settings
        chosen = ports.choose(
            "sip", sip.port, sip.listen, "udp and tcp", _listening(self.transport, sip.listen)
        )
        before = chosen.moved_from or sip.port
        self.port_changed = not chosen.kept and chosen.port not in (0, before)
        if network.listen:
            listening = _listening(self._network_transport, network.listen)
            ports.choose("sip.network", network.port, network.listen, "udp and tcp", listening)

    def start(self) -> None:
        """Begin to work: registrations are read, what comes is served."""
        self.proxy.start()

    def stop(self) -> None:
        """End all calls and searches; what still comes is dropped."""
        self._intake.stop()
        self.proxy.stop()

    async def close(self) -> None:
        """Close the sockets, when what was sent has left."""
        await self.transport.stop()
        await self._network_transport.stop()


def _listening(transport: PhoneTransport, host: str) -> Callable[[int], None]:
    return lambda port: transport.listen(host, port)
