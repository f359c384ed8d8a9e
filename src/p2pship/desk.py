"""What a node knows and keeps, with or without a network: its keys, the people it knows, and whom it believes.

A running node has a desk, and builds the network around it. A command that needs no network opens the desk itself when no
node is running; the lock on the state folder keeps the two apart.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pship.config import CONFIG_FILE, Config, load
from p2pship.errors import LocalError, P2PShipError
from p2pship.identity.keyring import SCHEMAS as IDENTITY_SCHEMAS
from p2pship.identity.keyring import Keyring
from p2pship.identity.settings import IdentitySettings
from p2pship.interfaces import IDevice
from p2pship.journal import Journal
from p2pship.lookup.privacy import Modes
from p2pship.lookup.rendezvous import Rendezvous
from p2pship.lookup.settings import PrivacySettings
from p2pship.relations.devicenames import name_this, unname_device
from p2pship.relations.secrets import PairSecrets
from p2pship.sip.bindings import SCHEMA as BINDINGS_SCHEMA
from p2pship.sip.bindings import forget_name
from p2pship.sip.phones import SCHEMA as PHONES_SCHEMA
from p2pship.sip.phones import Phones
from p2pship.storage.database import Database, Schema
from p2pship.storage.state import StateFolder
from p2pship.storage.vault import Vault
from p2pship.trust.authorities import Authorities
from p2pship.trust.blocks import Blocks
from p2pship.trust.issued import SCHEMA as AUTHORITY_SCHEMA
from p2pship.trust.ledger import SCHEMA as LEDGER_SCHEMA
from p2pship.trust.ledger import Ledger
from p2pship.trust.policy import TrustPolicy
from p2pship.trust.screening import Screening
from p2pship.trust.screensettings import ScreenSettings
from p2pship.trust.settings import TrustSettings
from p2pship.trust.vouchers import vouchers

OWN_SCHEMAS = (*IDENTITY_SCHEMAS, LEDGER_SCHEMA, AUTHORITY_SCHEMA, BINDINGS_SCHEMA, PHONES_SCHEMA)
"The tables of what a desk keeps."

HIP = "bearer.hip"
"The section of the bearer that serves several devices."


class Desk:
    """The state folder, open, with everything in it that needs no network.

    :raises ConfigError: if the folder is in use, or anything in it cannot be used; nothing is held then.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        config: Config,
        state: Path,
        *,
        schemas: Iterable[Schema] = (),
        unlock: Callable[[], bytes] | None = None,
        random: Callable[[int], bytes] = os.urandom,
        journal: Journal | None = None,
    ) -> None:
        """``schemas`` are those of tables that others keep in the same database; ``unlock`` is asked for the passphrase
        of the keys if there is one.
        """
        self.clock = clock
        self.config = config
        self.state = state
        self.random = random
        self.journal = journal or Journal(clock.seconds)
        self.heavy = DeferredLock()
        "held by the one work that a command does in a thread"
        self.node: Any = None
        "the :class:`~p2pship.node.Node` around it; None where none is running"
        self._folder = StateFolder(state)
        try:
            self._open(schemas, unlock)
        except P2PShipError:
            self._folder.close()
            raise

    @classmethod
    def open(
        cls,
        clock: IReactorTime,
        state: Path,
        unlock: Callable[[], bytes] | None = None,
        file: Path | None = None,
    ) -> Desk:
        """Open the desk of a state folder for a command, with this configuration, else the one in the folder if there is one."""
        from p2pship.sections import sections

        own = state / CONFIG_FILE
        config = load(file or (own if os.path.lexists(own) else None), sections())
        return cls(clock, config, state, unlock=unlock)

    def _open(self, schemas: Iterable[Schema], unlock: Callable[[], bytes] | None) -> None:
        self.vault = Vault.open(self.state, unlock, self.random)
        self.database = Database(self._folder.database, [*OWN_SCHEMAS, *schemas])
        try:
            self._build()
        except P2PShipError:
            self.database.close()
            raise

    def _build(self) -> None:
        clock, database, journal = self.clock, self.database, self.journal
        self.keyring = Keyring(self.state, database, journal, clock, self.vault)
        self.keyring.separate_device = self.config.get(IdentitySettings).separate_device
        self.keyring.beyond_ascii = self.config.get(ScreenSettings).international_names
        self.ledger = Ledger(database, self.vault, clock, self.random)
        self.blocks = Blocks(self.ledger, clock)
        self.secrets = PairSecrets(self.ledger, clock, self.keyring.revoked)
        self.authorities = Authorities(database, self.vault, self.state / "authorities", clock, journal)
        self.modes = Modes(self.config.get(PrivacySettings).mode, self.ledger)
        self.rendezvous = Rendezvous()
        self.trust = TrustPolicy(
            self.keyring,
            self.ledger,
            vouchers(self.authorities, clock, self.config.get(TrustSettings)),
            clock,
            journal,
            self.authorities.hint,
        )
        self.contacts, self.pins = self.trust.contacts, self.trust.pins
        self.phones = Phones(database, self.vault, clock.seconds)
        self.screening = Screening(self.config.get(ScreenSettings), self.blocks, journal)
        self.keyring.watch(self._identity_changed)
        self._catch_up()
        self._warn()
        self.vault.finish_if_possible()

    def _catch_up(self) -> None:
        """Do what is left to do for an identity that went, came, or had not yet come when the last run was killed."""
        own = {identity.aor for identity in self.keyring.identities()}
        for aor in own.union(self.ledger.owners(), (phone.aor for phone in self.phones.list())):
            self._identity_changed(aor)

    def _identity_changed(self, aor: str) -> None:
        """Name this device to the others of an identity; forget what was kept for one that is gone, or the next one has it."""
        identity = self.keyring.identity(aor)
        if identity is not None:
            self._name_device(aor, identity.device)
            if identity.separate:
                self._forget_device(aor, self.keyring.device)
        else:
            forget_name(self.database, aor)
            self.phones.drop(aor)
            self.ledger.drop(aor)  # last: whoever is in the ledger is looked at again if this is interrupted

    def _warn(self) -> None:
        """Say whom nobody can reach."""
        alone = [identity.aor for identity in self.keyring.identities() if identity.separate]
        if (alone or self.keyring.separate_device) and not self.reaches_separate():
            self.log.warn(
                "only HIP reaches an identity with a device of its own, and HIP is off: nobody can call {who}; "
                "set enabled = true in [bearer.hip], and start the node anew",
                who=", ".join(alone) or "those who get one",
            )

    def _name_device(self, aor: str, device: IDevice) -> None:
        """Name this device; an identity can do without, where the ledger is full or the disk is."""
        try:
            name_this(self.ledger, aor, device)
        except LocalError as error:
            self.log.warn("{aor}: this device has no name: {error}", aor=aor, error=error)

    def _forget_device(self, aor: str, left: IDevice) -> None:
        """Do not tell the other devices of an identity about one that it has left."""
        try:
            unname_device(self.ledger, aor, left)
        except LocalError as error:
            self.log.warn("{aor}: the device of before keeps its name: {error}", aor=aor, error=error)

    def reaches_separate(self) -> bool:
        """Tell whether others can reach the device of one identity alone: only a bearer that serves several can, such as HIP."""
        if self.node is not None:
            return any(bearer.several for bearer in self.node.bearers.values())
        hip = self.config.section(HIP)
        return hip is not None and bool(hip.enabled)

    def close(self) -> None:
        """Let another process use the state folder; harmless when repeated."""
        self.database.close()
        self._folder.close()
