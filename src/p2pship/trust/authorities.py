"""The authorities: those whose key is here, and those that the user trusts, each for the domains that were named."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from cryptography import x509
from twisted.internet.interfaces import IReactorTime

from p2pship.errors import LocalError
from p2pship.identity.aor import split_aor
from p2pship.journal import Journal
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault
from p2pship.trust.authority import Authority, CertificateRequest
from p2pship.trust.authoritycopy import AuthorityCopy
from p2pship.trust.authorityfacts import (
    AuthorityTrusted,
    CertificateIssued,
    CertificateRevoked,
    RevocationListTaken,
)
from p2pship.trust.certificates import check_authority, der, key_fingerprint, load
from p2pship.trust.chain import verify_path
from p2pship.trust.issued import Issued, IssuedCertificates
from p2pship.trust.lists import RevocationLists, passing_lists
from p2pship.trust.ownauthorities import OwnAuthorities
from p2pship.trust.proof import Proof, prove
from p2pship.trust.revocation import LIST_LIFETIME, BadRevocationList, RevocationList
from p2pship.trust.trusted import TrustedAuthorities, TrustedAuthority, canonical_domain

DAYS = 90
"A certificate of ours holds: long enough for a node that is off for a month, short enough to bound what revocation missed."

MOST_DAYS = 825
"The most that an operator may give."


class Authorities:
    """Who vouches for the names of which domain."""

    def __init__(
        self, database: Database, vault: Vault, folder: Path, clock: IReactorTime, journal: Journal
    ) -> None:
        """``folder`` has a folder for each authority of our own.

        :raises ConfigError: if one cannot be read.
        """
        self._database = database
        self._clock = clock
        self._journal = journal
        self._trusted = TrustedAuthorities(database)
        self._lists = RevocationLists(database)
        self._watchers: list[Callable[[str], None]] = []
        self._own = OwnAuthorities(folder, vault, clock, self._deleted)
        for own in self._own.all():
            self._finish(own)

    def watch(self, changed: Callable[[str], None]) -> Callable[[], None]:
        """Call ``changed`` with a domain when what proves its names has changed; returns a call that ends it."""
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    # Whom we trust

    def trust(self, certificate: x509.Certificate, domain: str) -> TrustedAuthority:
        """Trust an authority for the names of one domain.

        :raises BadAuthority: if the certificate is not an authority's.
        :raises LocalError: if the domain is none.
        """
        one = self._trusted.add(check_authority(certificate), canonical_domain(domain), self._clock.seconds())
        self._tell_trust(one, trusted=True)
        return one

    def remove(self, fingerprint: bytes, domain: str | None = None) -> list[TrustedAuthority]:
        """No longer trust an authority (the SHA-256 of its key), for one domain or for all; returns what was trusted."""
        found = [one for one in self.all() if one.root == fingerprint and domain in (None, one.domain)]
        with self._database.transaction():
            for one in found:
                self._trusted.remove(one)
        for one in found:
            self._tell_trust(one, trusted=False)
        return found

    def trusted_for(self, domain: str) -> Sequence[x509.Certificate]:
        """Return the authorities that are trusted for a canonical domain."""
        return self._trusted.roots(domain)

    def hint(self, authority: bytes) -> bool:
        """Tell whether an authority whose fingerprint begins with these 8 octets is trusted for anything."""
        return self._trusted.hinted(authority)

    def all(self) -> list[TrustedAuthority]:
        """Return each trusted authority with each of its domains."""
        return self._trusted.all()

    def verify(self, chain: Sequence[bytes], aor: str, key: bytes, revocations: bytes = b"") -> Proof:
        """Check that certificates prove a canonical AOR to be an identity key's, as :func:`~p2pship.trust.chain.verify_path`.

        ``revocations`` is the list that came along, or empty. It is kept if it is newer; if not, or if it is bad, the one that is
        kept counts. A list that is missing or out of date is only told in the reasons.

        :raises Revoked: if one of the certificates has been revoked.
        :raises BadChain: if they prove nothing.
        """
        now = self._clock.seconds()
        path = verify_path(chain, aor, key, self.trusted_for(split_aor(aor)[1]), now)
        reasons = []
        if revocations:
            try:
                self._take(revocations, path.certificates[1:], now)
            except BadRevocationList as error:
                reasons.append(str(error))
        return prove(path, lambda issuer: self._lists.of(issuer, now), now, reasons)

    def verify_with(
        self,
        roots: Sequence[x509.Certificate],
        chain: Sequence[bytes],
        aor: str,
        key: bytes,
        lists: Sequence[bytes] = (),
    ) -> Proof:
        """Check the same with these authorities in place of those that the user trusts.

        ``lists`` (DER) count for this one time: anybody can have an authority, and nothing of theirs is to fill the disk.
        """
        now = self._clock.seconds()
        path = verify_path(chain, aor, key, roots, now)
        passing = passing_lists(lists, path.certificates[1:], now)

        def newest(issuer: bytes) -> RevocationList | None:
            known = (self._lists.of(issuer, now), passing.get(issuer))
            return max(filter(None, known), key=lambda one: one.number, default=None)

        return prove(path, newest, now)

    def take_crl(self, octets: bytes) -> bool:
        """Keep a revocation list (DER) of a trusted authority, if it is newer than the one that is kept; tell whether it was.

        :raises BadRevocationList: if no trusted authority signed it.
        """
        roots = {one.root: one.certificate for one in self.all()}
        return self._take(octets, list(roots.values()), self._clock.seconds())

    def crl(self, fingerprint: bytes) -> bytes:
        """Return the newest revocation list (DER) of an authority; of our own, one that still holds for half of its time.

        Empty if none of somebody else's was seen.
        """
        now = self._clock.seconds()
        own = self.own(fingerprint)
        kept = self._lists.of(fingerprint, now)
        if own is not None and (kept is None or kept.due - now < LIST_LIFETIME / 2):
            return self._sign_list(own, now)
        return kept.raw if kept else b""

    # Our own

    def owned(self) -> list[Authority]:
        """Return the authorities whose key is here."""
        return self._own.all()

    def own(self, fingerprint: bytes) -> Authority | None:
        """Return the authority of our own with this key (its SHA-256), or None."""
        return self._own.of(fingerprint)

    def domains(self, fingerprint: bytes) -> list[str]:
        """Return the domains that an authority is trusted for."""
        return [one.domain for one in self.all() if one.root == fingerprint]

    def create(self, name: str, domain: str, operator: str = "") -> Authority:
        """Make an authority of our own and trust it for a domain; ``operator`` is the AOR whom members ask for renewal.

        :raises LocalError: if there is one of this name, or it cannot be written.
        """
        own = self._own.create(name, canonical_domain(domain), operator)
        self._finish(own)
        return own

    def delete(self, name: str) -> None:
        """Delete the key of an authority of our own for good; nobody trusts it here any more. A crash leaves all or nothing of it.

        :raises LocalError: if there is none of this name, or it cannot be done.
        """
        self._own.delete(name)

    def _deleted(self, fingerprint: bytes) -> None:
        self.remove(fingerprint)

    def copy(self, own: Authority) -> AuthorityCopy:
        """Return an authority of our own for a backup, with each certificate that may still be revoked or listed as that."""
        trusted = tuple(self.domains(own.fingerprint))
        since = self._clock.seconds() - LIST_LIFETIME
        issued = tuple(one for one in self.issued(own) if one.expires > since)
        return AuthorityCopy(own.name, own.domain, trusted, der(own.certificate), own.key_pair(), issued)

    def bring(self, copy: AuthorityCopy) -> Authority:
        """Have an authority of our own again; what it has revoked is revoked, by the backup or by what was seen since.

        :raises LocalError: if it cannot be kept.
        """
        certificate, now = load(copy.certificate), self._clock.seconds()
        root = key_fingerprint(certificate)
        with self._database.transaction():
            register = IssuedCertificates(self._database, root)
            for one in copy.issued:
                register.add(one)
        for domain in copy.trusted:
            self.trust(certificate, domain)
        own = self.own(root) or self._own.bring(copy)  # last: its first list has what the register has
        self._sign_list(own, now)
        return own

    def issued(self, own: Authority, aor: str = "") -> list[Issued]:
        """Return what an authority of our own has issued, oldest first; to one canonical AOR if it is named."""
        return IssuedCertificates(self._database, own.fingerprint).all(aor)

    def issue(
        self, request: CertificateRequest, days: int = DAYS, name: str = "", replace: bool = False
    ) -> tuple[bytes, ...]:
        """Issue a certificate, and return the chain, DER, the person's first and the root last.

        The authority is the one called ``name``, else the only one that is trusted for the domain. A name has one key: with
        ``replace`` the certificates of the other key are revoked.

        :raises LocalError: if there is no such authority, it is not one for the domain, the days are too many, or the name
            has a certificate for another key.
        """
        own = self.authority_for(split_aor(request.aor)[1], name)
        if not 1 <= days <= MOST_DAYS:
            raise LocalError(f"a certificate can hold 1 to {MOST_DAYS} days")
        now, key = self._clock.seconds(), hashlib.sha256(request.key).digest()
        others = [one for one in self.issued(own, request.aor) if one.holds(now) and one.key != key]
        if others and not replace:
            raise LocalError(
                f"{request.aor} has a certificate for another key; ask them whether they made a new one, then use --replace"
            )
        serial = x509.random_serial_number()
        chain = own.issue(request, serial, days, now)
        expires = int(now) + days * 24 * 3600
        with self._database.transaction():
            register = IssuedCertificates(self._database, own.fingerprint)
            register.add(Issued(serial, request.aor, key, int(now), expires, 0))
            made = self._mark(own, others, now)
        self._journal.tell(CertificateIssued(_short(own.fingerprint), request.aor, f"{serial:x}", expires))
        self._tell_revoked(own, others, made)
        return chain

    def revocable(self, which: int | str, name: str = "") -> list[tuple[Authority, Issued]]:
        """Return the certificate of a serial number, or all of an AOR that still hold, with who issued each.

        :raises LocalError: if nothing like that was issued here.
        """
        now = self._clock.seconds()
        authorities = [self._own.named(name)] if name else self.owned()
        found = [
            (own, one)
            for own in authorities
            for one in self.issued(own)
            if one.holds(now) and which in (one.serial, one.aor)
        ]
        if not found:
            shown = f"{which:x}" if isinstance(which, int) else which
            raise LocalError(
                f"no certificate that still holds was issued here for {shown}: `p2pship ca list` shows them"
            )
        return found

    def revoke(self, which: int | str, name: str = "") -> list[Issued]:
        """Revoke what :meth:`revocable` returns, and return it."""
        now, found = self._clock.seconds(), self.revocable(which, name)
        for own in {id(own): own for own, _ in found}.values():
            revoked = [one for its, one in found if its is own]
            with self._database.transaction():
                made = self._mark(own, revoked, now)
            self._tell_revoked(own, revoked, made)
        return [one for _, one in found]

    def authority_for(self, domain: str, name: str = "") -> Authority:
        """Return the authority of our own for a canonical domain: the one called ``name``, else the only one.

        :raises LocalError: if there is none, there are several, or the one that is named is not for this domain.
        """
        fitting = [one for one in self.owned() if domain in self.domains(one.fingerprint)]
        if name:
            fitting = [one for one in fitting if one.name == name]
        if not fitting:
            raise LocalError(
                f"no authority of your own{' of this name' * bool(name)} is trusted for {domain}"
            )
        if len(fitting) > 1:
            raise LocalError(f"there are {len(fitting)} for {domain}: name one with --ca")
        return fitting[0]

    def _finish(self, own: Authority) -> None:
        """Do what is left to do of a new authority; its first revocation list, the last of it, says that nothing is."""
        now = self._clock.seconds()
        if self._lists.of(own.fingerprint, now) is None:
            self.trust(own.certificate, own.domain)
            self._sign_list(own, now)

    def _take(self, octets: bytes, issuers: Sequence[x509.Certificate], now: float) -> bool:
        new = self._lists.take(octets, issuers, now)
        if new is not None:
            self._tell_list(new)
        return new is not None

    def _tell_list(self, new: RevocationList) -> None:
        self._journal.tell(RevocationListTaken(_short(new.issuer), new.number, len(new.entries)))
        for domain in self.domains(new.issuer):
            self._changed(domain)

    def _mark(self, own: Authority, which: Sequence[Issued], now: float) -> RevocationList | None:
        """Mark certificates as revoked and make the list that says so, in one transaction; None if there are none."""
        register = IssuedCertificates(self._database, own.fingerprint)
        for one in which:
            register.revoke(one.serial, now)
        return self._next_list(own, now) if which else None

    def _tell_revoked(self, own: Authority, which: Sequence[Issued], made: RevocationList | None) -> None:
        if made is not None:
            self._tell_list(made)
        for one in which:
            self._journal.tell(CertificateRevoked(_short(own.fingerprint), one.aor, f"{one.serial:x}"))

    def _sign_list(self, own: Authority, now: float) -> bytes:
        """Make the next list, and tell those who watch."""
        made = self._next_list(own, now)
        self._tell_list(made)
        return made.raw

    def _next_list(self, own: Authority, now: float) -> RevocationList:
        """Make and keep the next list; its number is the Unix time or one more than the last, as that of a statement."""
        last = self._lists.of(own.fingerprint, now)
        number = max(last.number + 1 if last else 0, int(now))
        # Longer than they hold (RFC 5280 §3.3): others' clocks differ, and they may have seen no list since.
        since = now - LIST_LIFETIME
        issued = self.issued(own)
        revoked = [(one.serial, one.revoked) for one in issued if one.revoked and one.expires > since]
        if last is not None:
            revoked += _unknown(last, {one.serial for one in issued}, now)
        made = self._lists.take(own.sign_list(number, revoked, now), [own.certificate], now)
        assert made is not None  # its number is higher
        return made

    def _tell_trust(self, one: TrustedAuthority, trusted: bool) -> None:
        self._journal.tell(AuthorityTrusted(_short(one.root), one.domain, trusted))
        self._changed(one.domain)

    def _changed(self, domain: str) -> None:
        for changed in tuple(self._watchers):
            changed(domain)


def _unknown(last: RevocationList, known: Collection[int], now: float) -> list[tuple[int, int]]:
    """Return what a list has that is not in the register, as that came from an older backup; as long as it may hold."""
    entries = [(one.serial_number, int(one.revocation_date_utc.timestamp())) for one in last.entries]
    lasting = MOST_DAYS * 24 * 3600
    return [(serial, when) for serial, when in entries if serial not in known and when + lasting > now]


def _short(fingerprint: bytes) -> str:
    return fingerprint[:8].hex()
