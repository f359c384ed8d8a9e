"""Our own devices and identities, what may be done with them, and what is remembered of the people it met.

What changes is on disk when a method returns. Whatever happens in between, the next run finds each identity as it was before or
as it is after, never half of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.errors import BadPapers, LocalError
from p2pship.identity import changes, facts
from p2pship.identity.bundle import Bundle, bundle_of, check_bundle
from p2pship.identity.device import Device, protect_device
from p2pship.identity.fingerprint import fingerprint, names_itself, own_proof_aor
from p2pship.identity.holdings import Holdings
from p2pship.identity.hostkeys import HostKeys
from p2pship.identity.identities import OwnIdentities
from p2pship.identity.identity import Identity
from p2pship.identity.keys import new_p256, spki, to_der
from p2pship.identity.naming import check_own_name
from p2pship.identity.ownrecord import own_record
from p2pship.identity.papers import ListedDevice
from p2pship.identity.people import SCHEMA
from p2pship.identity.remembered import Remembered
from p2pship.identity.removed import SCHEMA as REMOVED_SCHEMA
from p2pship.identity.removed import RemovedNames
from p2pship.identity.request import certificate_request
from p2pship.interfaces import IDevice, IIdentity, IKeyring
from p2pship.journal import IdentityCreated, Journal
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault

SCHEMAS = (SCHEMA, REMOVED_SCHEMA)
"The tables that a keyring needs in its database."

LONGEST_STATUS = 128
"Octets of that, in UTF-8: as much as a service parameter holds."


@implementer(IKeyring)
class Keyring(Remembered):
    """Keeps ``device/``, ``host-identities/`` and ``identities/NAME/`` below the state folder; makes the device when there is none.

    ``vault`` protects the keys; None: the one in the folder, which then must have no passphrase. The methods that change an
    identity raise LocalError if there is none of that AOR here, or the change cannot be kept.

    :raises ConfigError: if a key file cannot be read, or others may read it. No new key is ever made in place of one that is
        there.
    """

    log = Logger()

    beyond_ascii = False
    "whether identities may be given names with other letters than ASCII"

    separate_device = False
    "whether identities get a device of their own where nobody says which"

    def __init__(
        self,
        folder: Path,
        database: Database,
        journal: Journal,
        clock: IReactorTime,
        vault: Vault | None = None,
    ) -> None:
        vault = vault or Vault.open(folder)
        self._journal = journal
        self._clock = clock
        self._removed = RemovedNames(database)
        self._device_folder = folder / "device"
        self._vault = vault
        self.device = Device.open(self._device_folder, vault)
        self.host_keys = HostKeys(folder / "host-identities", vault)
        super().__init__(database, OwnIdentities(folder / "identities", self.device, clock, vault))
        vault.watch(self.protect)
        self._protect_at_start()

    def identities(self) -> Sequence[Identity]:
        """Return our own identities, oldest first; without those whose owner has revoked this device."""
        return tuple(identity for identity in self._own.all() if not identity.revoked)

    def identity(self, aor: str) -> Identity | None:
        """Return our own identity of a canonical AOR, or None."""
        return self._own.get(aor)

    def revoked_here(self) -> Sequence[Identity]:
        """Return the identities that are kept but not used, as their owner has revoked this device."""
        return tuple(identity for identity in self._own.all() if identity.revoked)

    @property
    def default(self) -> Identity | None:
        """The identity that is meant where none is named: the one that was chosen, else the oldest."""
        return self._own.default()

    def set_default(self, aor: str) -> None:
        """Choose the identity that is meant where none is named."""
        self._own.choose(aor)

    def watch(self, changed: Callable[[str], None]) -> Callable[[], None]:
        """Call ``changed`` with the AOR of each identity that is made, changed or removed; returns a call that ends it."""
        return self._own.watch(changed)

    def devices(self) -> Sequence[Device]:
        """Return our devices: the node's own, then each that an identity here has for itself."""
        return tuple(self._own.devices().values())

    def device_of(self, hit: bytes) -> Device | None:
        """Return our device of a HIT, or None."""
        return self._own.devices().get(hit)

    def create(self, aor: str, separate: bool | None = None) -> Identity:
        """Make the identity of a canonical AOR, keep it on disk and tell the watchers.

        :raises LocalError: also if there is one already, or the name may not be made.
        """
        self._own.check_free(aor)
        check_own_name(aor, None, self.beyond_ascii)
        return self._created(new_p256(), aor, separate)

    def create_self_certifying(
        self, named: Callable[[str], None] | None = None, separate: bool | None = None
    ) -> Identity:
        """Make an identity whose name is the fingerprint of its key, ``<fingerprint>@p2pship.alt``, and tell the watchers.

        ``named`` hears the name before there is such an identity, also should the node be killed then.
        """
        key = new_p256()
        aor = own_proof_aor(spki(key))
        if named is not None:
            named(aor)
        return self._created(key, aor, separate)

    def separate(self, aor: str) -> bool:
        """Give an identity a device of its own in place of the node's; False if it has one already.

        The node's is no longer believed to be one of this person's; it goes on being that of other identities.

        :raises LocalError: also if the identity key is not held here.
        """
        identity = self._own.need(aor)
        if identity.separate:
            return False
        identity.replace(
            changes.separated(identity.holdings(), self.device.listed, Device.new(), self._clock.seconds())
        )
        self._journal.tell(facts.IdentitySeparated(aor, identity.device.hit))
        return True

    def adopt_identity(
        self,
        aor: str,
        statement: bytes,
        chain: Sequence[bytes],
        revocations: bytes,
        private_key: bytes | None,
        device: IDevice,
    ) -> Identity:
        """Make an identity of what another device of the person handed over to ``device``, ours, and tell the watchers.

        With the key, DER (PKCS #8), the device lists itself in a new statement; without, the statement has to list it.

        :raises LocalError: also if there is an identity of that AOR here, or the device was revoked or is not ours.
        :raises BadPapers: if it is another's, its parts do not belong together, or it comes without the key and its statement does
            not hold now or does not list the device.
        """
        ours = self.device_of(device.hit)
        if ours is None:
            raise LocalError(f"{aor} came to a device that is not ours any more")
        bundle = Bundle(private_key or b"", tuple(chain), revocations, statement, int(self._clock.seconds()))
        if bundle.statement.aor != aor:
            raise BadPapers(f"what came is of {bundle.statement.aor}, not of {aor}")
        return self._keep(self._brought(bundle, None, None if ours is self.device else ours), None)

    def restore(self, bundle: Bundle, replace: bool = False, separate: bool | None = None) -> Identity:
        """Make an identity of what was in a backup; otherwise as :meth:`adopt_identity`.

        With ``replace`` one of that AOR that is here is lost for it; it is used on the same device unless ``separate`` says so.
        """
        known = self._own.any(bundle.aor) if replace else None
        return self._keep(self._brought(bundle, known, self._destined(known, separate)), known)

    def check_restorable(self, bundle: Bundle, replace: bool = False, separate: bool | None = None) -> None:
        """Raise what :meth:`restore` would, and change nothing."""
        known = self._own.any(bundle.aor) if replace else None
        self._brought(bundle, known, self._destined(known, separate))

    def _destined(self, known: Identity | None, separate: bool | None) -> Device | None:
        """Return the device of its own, if any, that is to be that of an identity which takes the place of a known one."""
        if known is not None and known.separate and not known.revoked:
            return known.device
        if known is not None and separate is None:
            return Device.new() if known.separate else None
        return self._new_device(separate)

    def _brought(self, bundle: Bundle, known: Identity | None, device: Device | None) -> Holdings:
        """Return what is to be held of a bundle in the place of a known identity, with a device of its own if there is one."""
        stated = check_bundle(bundle)
        check_own_name(stated.aor, stated.key, beyond_ascii=True)
        if known is None:
            self._own.check_free(stated.aor)
        if device is None and changes.has_left(bundle.holdings(), self.device.listed):
            device = Device.new()
        revoked = known.about.revoked if known is not None else ()
        now, nodes = self._clock.seconds(), self.device.listed
        holdings = changes.brought(bundle.holdings(), device.listed if device else nodes, now, revoked)
        leaves = nodes in holdings.statement.devices or (known is not None and self._is_of_node(known))
        if device and holdings.private_key and leaves:
            return changes.separated(holdings, nodes, device, now)
        return replace(holdings, device=device)

    def _is_of_node(self, known: Identity) -> bool:
        """Tell whether an identity is used on the node's device, or was: others of the person may list that yet."""
        return not known.separate or changes.has_left(known.holdings(), self.device.listed)

    def _keep(self, holdings: Holdings, known: Identity | None) -> Identity:
        if known is not None:
            known.replace(holdings)
        else:
            known = self._own.make(holdings)
            self._removed.discard(known.aor)
            self._own.changed(known.aor)
        self._journal.tell(facts.IdentityCameAlong(known.aor, known.owner))
        return known

    def check_chain(self, aor: str, chain: Sequence[bytes], revocations: bytes = b"") -> None:
        """Raise what :meth:`install_chain` would, and change nothing."""
        changes.certified(self._own.need(aor).holdings(), chain, revocations, self._clock.seconds())

    def remove(self, aor: str) -> None:
        """Delete an identity from this device for ever, and tell the watchers."""
        if self._own.any(aor) is not None and names_itself(aor, b"") is None:
            self._removed.add(aor)  # first: what is remembered counts only once the identity is gone
        self._own.remove(aor)
        self._journal.tell(facts.IdentityRemoved(aor))

    def removed(self, aor: str) -> bool:
        """Tell whether the identity of an AOR was removed from this device, and not made again since."""
        return aor in self._removed and self._own.any(aor) is None

    def rotate(self, aor: str) -> Identity:
        """Give an identity a new key, which the old one signs; the old one is deleted.

        :raises LocalError: also if the key is not held here, or the name is made of it.
        """
        identity = self._own.need(aor)
        now = self._clock.seconds()
        before = identity.holdings()
        holdings = changes.rotated(before, now)
        if identity.separate and changes.has_left(before, self.device.listed):
            holdings = changes.separated(holdings, self.device.listed, identity.device, now)
        identity.replace(holdings)
        self._journal.tell(facts.IdentityRotated(aor, fingerprint(identity.key)))
        return identity

    def request(self, aor: str) -> bytes:
        """Return the request for a certificate (PKCS #10, DER) of an identity, signed with its key."""
        return certificate_request(self._own.need(aor).private_key(), aor)

    def install_chain(self, aor: str, chain: Sequence[bytes], revocations: bytes = b"") -> None:
        """Take the certificates that a CA issued, DER, the person's first and the CA's own last, and its revocation list.

        :raises BadCertificate: if they are not for this name and key, do not hold now, or were revoked.
        :raises LocalError: also if the key is not held here.
        """
        identity = self._own.need(aor)
        holdings = changes.certified(identity.holdings(), chain, revocations, self._clock.seconds())
        identity.replace(holdings)
        self._journal.tell(facts.IdentityCertified(aor, holdings.statement.authority.hex()))

    def add_device(self, aor: str, device: ListedDevice) -> None:
        """List another device of the person; raises LocalError also if it was revoked, or there are too many."""
        identity = self._own.need(aor)
        identity.replace(changes.with_device(identity.holdings(), device, self._clock.seconds()))
        self._journal.tell(facts.DeviceListed(aor, device.host_identity_hash.hex()))

    def revoke_device(self, aor: str, digest: bytes) -> None:
        """Revoke a device, named by the SHA-256 of its Host Identity, for ever; raises LocalError also if it is this one."""
        identity = self._own.need(aor)
        if digest == identity.device.listed.host_identity_hash:
            raise LocalError(
                "this is the device itself: revoke it from another one, or remove the identity here"
            )
        identity.replace(changes.without_device(identity.holdings(), digest, self._clock.seconds()))
        self._journal.tell(facts.DeviceRevoked(aor, digest.hex()))

    def revoked(self, aor: str) -> tuple[bytes, ...]:
        """Return the devices of a person of ours that were ever revoked, newest first, as :meth:`revoke_device` names them."""
        identity = self._own.get(aor)
        return identity.about.revoked if identity is not None else ()

    def adopt_statement(
        self, aor: str, raw: bytes, chain: Sequence[bytes] = (), revocations: bytes = b""
    ) -> bool:
        """Take a statement that another device of the person signed; returns whether anything here changed by it.

        Where the identity key is held, what both say is kept, and signed anew if need be. One that revokes this device, or no longer
        lists it, ends the use of the identity here. ``chain`` are the certificates of which it has the hash.

        :raises BadPapers: if it is not valid, or not signed by the same key or one to which that gave way.
        """
        identity = self._own.need(aor)
        own = identity.device.listed.host_identity_hash
        holdings = changes.adopted(identity.holdings(), own, raw, chain, revocations, self._clock.seconds())
        if holdings is None:
            return False
        identity.replace(holdings)
        version = holdings.statement.version
        self._journal.tell(
            facts.RevokedHere(aor) if identity.revoked else facts.StatementAdopted(aor, version)
        )
        return True

    def private_key(self, aor: str) -> bytes:
        """Return the identity key, DER (PKCS #8); raises LocalError also if it is not held here."""
        return to_der(self._own.need(aor).private_key())

    def bundle(self, aor: str, with_key: bool, extra: bytes = b"") -> Bundle:
        """Return an identity for a backup or another device, with its key or not, and what is to ride along.

        :raises LocalError: also if the key is wanted and not held here.
        """
        identity = self._own.need(aor)
        identity.stated()
        if with_key:
            identity.private_key()
        return bundle_of(identity.holdings(), with_key, extra)

    def mark_exported(self, aor: str) -> None:
        """Note that a backup of an identity's key was written now; ``identity.about.exported`` says when."""
        identity = self._own.need(aor)
        identity.note(replace(identity.about, exported=int(self._clock.seconds())))

    def set_status(self, aor: str, text: str) -> None:
        """Say in the records of an identity what the person says of themselves; empty: nothing.

        :raises LocalError: also if it is longer than 128 octets, or has what cannot be printed.
        """
        identity = self._own.need(aor)
        if len(text.encode("utf-8")) > LONGEST_STATUS or not text.isprintable():
            raise LocalError(f"a status is one line of at most {LONGEST_STATUS} octets")
        identity.note(replace(identity.about, status=text))

    def protect(self) -> None:
        """Put all key files into the form that the vault wants now; raises LocalError if one cannot be written."""
        protect_device(self._device_folder, self._vault)
        self.host_keys.protect()
        for identity in self._own.all():
            identity.protect()

    def record_for(
        self,
        identity: IIdentity,
        locators: Sequence[Locator],
        now: float,
        parameters: Sequence[tuple[str, str]] = (),
    ) -> bytes:
        """Sign a record of this device for an own identity; its sequence number is kept before this returns."""
        own = self._own.get(identity.aor)
        if own is None or own is not identity:
            raise LocalError(f"{identity.aor} is not an identity of this keyring")
        sequence = self._people.next_sequence(own.key, own.device.key, now)
        return own_record(own, sequence, locators, now, parameters)

    def _new_device(self, separate: bool | None) -> Device | None:
        wanted = self.separate_device if separate is None else separate
        return Device.new() if wanted else None

    def _created(self, key: EllipticCurvePrivateKey, aor: str, separate: bool | None) -> Identity:
        own = self._new_device(separate)
        begun = changes.begun(key, aor, (own or self.device).listed, self._clock.seconds())
        identity = self._own.make(replace(begun, device=own))
        self._removed.discard(identity.aor)
        self._journal.tell(IdentityCreated(identity.aor))
        self._own.changed(identity.aor)
        return identity

    def _protect_at_start(self) -> None:
        """Finish what a crash left undone when a passphrase came or went."""
        try:
            self.protect()
        except LocalError as error:
            self.log.error("{error}", error=error)
