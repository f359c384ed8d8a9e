"""What a running node tells a person's own devices and the people they know: builds and wires the relations."""

from __future__ import annotations

from typing import Any

from p2pship.desk import Desk
from p2pship.interfaces import IFinder, ISubprotocol
from p2pship.overlay.switchboard import Switchboard
from p2pship.relations.gathering import Gathering
from p2pship.relations.inquiries import Inquiries
from p2pship.relations.introductions import Introductions
from p2pship.relations.linking import Linking
from p2pship.relations.pairing import Pairing
from p2pship.relations.renewal import Renewal
from p2pship.relations.renewaldesk import RenewalDesk
from p2pship.relations.statements import Statements
from p2pship.relations.sync import Sync


class Circle:
    """The relations of one node: its subprotocols are offered as soon as it is made, and it speaks once it is started."""

    def __init__(self, reactor: Any, desk: Desk, overlay: Switchboard, finder: IFinder) -> None:
        keyring, ledger, journal, random = desk.keyring, desk.ledger, desk.journal, desk.random
        doors = desk.screening.open_doors
        self.linking = Linking(
            reactor,
            keyring,
            overlay,
            journal,
            random,
            ledger,
            doors,
            overlay.judge_again,
            desk.modes.of,
            desk.rendezvous,
        )
        self.pairing = Pairing(reactor, keyring, overlay, desk.secrets, journal, random, desk.rendezvous)
        self.sync = Sync(reactor, keyring, ledger, overlay, journal)
        self.introductions = Introductions(
            reactor,
            keyring,
            ledger,
            desk.contacts,
            desk.pins,
            desk.trust.introductions,
            overlay,
            journal,
            random,
        )
        self._statements = Statements(
            reactor, keyring, overlay, journal, overlay.statement_received, desk.authorities.take_crl
        )
        self._gathering = Gathering(
            reactor, keyring, ledger, finder, overlay, self.sync.meet, random, desk.secrets
        )
        self._inquiries = Inquiries(
            reactor, keyring, finder, overlay, journal, overlay.statement_received, random
        )
        self._renewal = Renewal(reactor, keyring, desk.authorities, overlay, journal)
        offered: tuple[ISubprotocol, ...] = (
            self.linking,
            self.pairing,
            self.sync,
            self.introductions,
            self._statements,
            RenewalDesk(desk.authorities, reactor, journal),
        )
        for subprotocol in offered:
            overlay.offer(subprotocol)
        self._parts = (
            self.linking,
            self.pairing,
            self.sync,
            self.introductions,
            self._statements,
            self._gathering,
            self._inquiries,
            self._renewal,
        )

    def start(self) -> None:
        """Look for own devices, friends and authorities, and follow the changes."""
        for part in self._parts:
            part.start()

    def stop(self) -> None:
        """Let go of everything that is under way."""
        for part in reversed(self._parts):
            part.stop()
