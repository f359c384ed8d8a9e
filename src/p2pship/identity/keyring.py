"""The node's own device and identities, what may be done with them, and what is remembered of the people it met.

What changes is on disk when a method returns. Whatever happens in between, the next run finds each identity as it was before or
as it is after, never half of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.errors import BadPapers, LocalError
from p2pship.identity import changes, facts
from p2pship.identity.bundle import Bundle, bundle_of, check_bundle
from p2pship.identity.device import Device
from p2pship.identity.fingerprint import fingerprint, names_itself, own_proof_aor
from p2pship.identity.holdings import Holdings
from p2pship.identity.hostkeys import HostKeys
from p2pship.identity.identities import OwnIdentities
from p2pship.identity.identity import Identity
from p2pship.identity.keys import new_p256, spki, to_der
from p2pship.identity.naming import check_own_name
from p2pship.identity.papers import ListedDevice, Papers, Statement
from p2pship.identity.people import SCHEMA, People
from p2pship.identity.record import sign_record
from p2pship.identity.removed import SCHEMA as REMOVED_SCHEMA
from p2pship.identity.removed import RemovedNames
from p2pship.identity.request import certificate_request
from p2pship.identity.statement import host_identity_hash, person_hash
from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.identity.verify import listing
from p2pship.interfaces import IIdentity, IKeyring
from p2pship.journal import IdentityCreated, Journal
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault

SCHEMAS = (SCHEMA, REMOVED_SCHEMA)
"The tables that a keyring needs in its database."

STATUS = "status"
"The service parameter of a record that says what the person says of themselves."

LONGEST_STATUS = 128
"Octets of that, in UTF-8: as much as a service parameter holds."


@implementer(IKeyring)
class Keyring:
    """Keeps ``device/``, ``host-identities/`` and ``identities/NAME/`` below the state folder; makes the device when there is none.

    ``vault`` protects the keys; None: the one in the folder, which then must have no passphrase. The methods that change an
    identity raise LocalError if there is none of that AOR here, or the change cannot be kept.

    :raises ConfigError: if a key file cannot be read, or others may read it. No new key is ever made in place of one that is
        there.
    """

    log = Logger()

    beyond_ascii = False
    "whether identities may be given names with other letters than ASCII"

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
        self._people = People(database)
        self._removed = RemovedNames(database)
        self.device = Device.open(folder / "device", vault)
        self.host_keys = HostKeys(folder / "host-identities", vault)
        self._own = OwnIdentities(folder / "identities", self.device, clock, vault)
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

    def create(self, aor: str) -> Identity:
        """Make the identity of a canonical AOR, keep it on disk and tell the watchers.

        :raises LocalError: also if there is one already, or the name may not be made.
        """
        self._own.check_free(aor)
        check_own_name(aor, None, self.beyond_ascii)
        return self._created(changes.begun(new_p256(), aor, self.device.listed, self._clock.seconds()))

    def create_self_certifying(self, named: Callable[[str], None] | None = None) -> Identity:
        """Make an identity whose name is the fingerprint of its key, ``<fingerprint>@p2pship.alt``, and tell the watchers.

        ``named`` hears the name before there is such an identity, also should the node be killed then.
        """
        key = new_p256()
        aor = own_proof_aor(spki(key))
        if named is not None:
            named(aor)
        return self._created(changes.begun(key, aor, self.device.listed, self._clock.seconds()))

    def adopt_identity(
        self,
        aor: str,
        statement: bytes,
        chain: Sequence[bytes],
        revocations: bytes,
        private_key: bytes | None,
        replace: bool = False,
    ) -> Identity:
        """Make an identity of what another device of the person handed over, and tell the watchers.

        With the key, DER (PKCS #8), this device lists itself in a new statement; without, the statement has to list it. With
        ``replace`` one of that AOR that is here is lost for it.

        :raises LocalError: also if there is an identity of that AOR here, or this device was revoked.
        :raises BadPapers: if it is another's, its parts do not belong together, or it comes without the key and its statement does
            not hold now or does not list this device.
        """
        bundle = Bundle(private_key or b"", tuple(chain), revocations, statement, int(self._clock.seconds()))
        if bundle.statement.aor != aor:
            raise BadPapers(f"what came is of {bundle.statement.aor}, not of {aor}")
        return self.restore(bundle, replace)

    def restore(self, bundle: Bundle, replace: bool = False) -> Identity:
        """Make an identity of what was in a backup; otherwise as :meth:`adopt_identity`."""
        holdings, known = self._brought(bundle, replace)
        if known is not None:
            known.replace(holdings)
        else:
            known = self._own.make(holdings)
            self._removed.discard(known.aor)
            self._own.changed(known.aor)
        self._journal.tell(facts.IdentityCameAlong(known.aor, known.owner))
        return known

    def check_restorable(self, bundle: Bundle, replace: bool = False) -> None:
        """Raise what :meth:`restore` would, and change nothing."""
        self._brought(bundle, replace)

    def _brought(self, bundle: Bundle, replace: bool) -> tuple[Holdings, Identity | None]:
        """Return what is to be held of a bundle, and the identity that is to hold it if there is one."""
        stated = check_bundle(bundle)
        check_own_name(stated.aor, stated.key, beyond_ascii=True)
        known = self._own.any(stated.aor) if replace else None
        if known is None:
            self._own.check_free(stated.aor)
        revoked = known.about.revoked if known is not None else ()
        now = self._clock.seconds()
        return changes.brought(bundle.holdings(), self.device.listed, now, revoked), known

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
        identity.replace(changes.rotated(identity.holdings(), self._clock.seconds()))
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
        if digest == self.device.listed.host_identity_hash:
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
        identity, own = self._own.need(aor), self.device.listed.host_identity_hash
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
        self.device.protect()
        self.host_keys.protect()
        for identity in self._own.all():
            identity.protect()

    def accept(self, papers: Papers, now: float, keep: bool) -> None:
        """Remember a person's papers, once a hello has proven them."""
        self._check_own(papers)
        self._people.accept(papers, now, keep)

    def accept_statement(self, statement: Statement, now: float, keep: bool) -> None:
        """Remember a person's newer statement that came without a record."""
        self._people.accept_statement(statement, now, keep)

    def check(self, papers: Papers) -> None:
        """Raise what :meth:`accept` would, and remember nothing."""
        self._check_own(papers)
        self._people.check(papers)

    def _check_own(self, papers: Papers) -> None:
        """Check a device that comes by the name and key of one of our own: our own statement may be what takes it out."""
        own = self._own.any(papers.aor)
        if own is None or own.key != papers.statement.key:
            return
        newest = own.newest
        older = papers.statement.version < newest.version
        listed = listing(newest, papers.record.device_key)
        if host_identity_hash(papers.record.device_key) in newest.revoked or (older and listed is None):
            raise BadPapers(f"our own statement of {papers.aor} does not list the device any more")

    def lists(self, key: bytes, device_key: bytes) -> bool:
        """Tell whether the newest statement that was remembered of an identity key lists a device, and none has revoked it."""
        return self._people.lists(key, device_key)

    def met(self, aor: str) -> bool:
        """Tell whether a hello of a device of this AOR was ever accepted."""
        return self._people.met(aor)

    def mark_encrypted(self, hit: bytes) -> None:
        """Remember for good that a hello of a device was accepted over an encrypted link."""
        self._people.mark_encrypted(hit)

    def must_be_encrypted(self, hit: bytes) -> bool:
        """Tell whether a device may only be talked to over encrypted links."""
        return self._people.must_be_encrypted(hit)

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
        status = [(STATUS, own.about.status)] if own.about.status else []
        return sign_record(
            self.device.sign,
            person=person_hash(own.aor, own.key),
            statement_version=own.stated().version,
            sequence=self._people.next_sequence(own.key, self.device.key, now),
            issued=int(now),
            expires=int(now) + RECORD_LIFETIME,
            device_key=self.device.key,
            sealing_key=self.device.sealing_key,
            locators=locators,
            parameters=[*parameters, *status],
        )

    def _created(self, holdings: Holdings) -> Identity:
        identity = self._own.make(holdings)
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
