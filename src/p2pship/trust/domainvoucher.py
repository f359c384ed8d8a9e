"""The voucher of a name's own domain: its web server, or the DNS where DNSSEC proves it."""

from __future__ import annotations

from typing import Protocol

from cryptography import x509
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from p2pship.identity.aor import split_aor
from p2pship.identity.papers import Papers
from p2pship.identity.succession import predecessors
from p2pship.interfaces import IIdentity, IVoucher
from p2pship.trust.authorities import Authorities
from p2pship.trust.certificates import UNREADABLE, BadAuthority, BadChain, check_authority
from p2pship.trust.pages import FAILURE_KEPT, PageFailed, Pages
from p2pship.trust.proof import Revoked
from p2pship.trust.publishedlists import read_lists
from p2pship.trust.specialuse import asked_of_nobody
from p2pship.trust.vouch import BY_DOMAIN, SILENT, Vouch
from p2pship.trust.wellknown import (
    AUTHORITIES_FILE,
    REVOCATIONS_FILE,
    BadNameFile,
    NameFile,
    key_hash,
    name_hash,
    read_name_file,
)

MOST_AUTHORITIES = 8
"Authorities of one domain: each costs a verification, and another one for each certificate between it and a person."


class DNSKeys(Protocol):
    """What asks the DNS for the keys of a name; see :class:`p2pship.trust.dnssec.DNSSEC`."""

    def vouch(self, aor: str, key: bytes) -> Deferred[Vouch]:
        """Say what the DNS says of a canonical AOR and an identity key; does not fail."""


@implementer(IVoucher)
class DomainVoucher:
    """Asks the domain of a name for the keys of that name.

    The file about the name decides, if there is one: nothing else is asked then. Else a chain that leads to an authority
    which the domain publishes is as good; else the DNS is asked. Either may be None, as it is switched off.
    Only the file contradicts a key: what it does not name is not the person's.
    """

    name = "domain"

    def __init__(
        self, authorities: Authorities, clock: IReactorTime, pages: Pages | None, dns: DNSKeys | None
    ) -> None:
        self._authorities = authorities
        self._clock = clock
        self._pages = pages
        self._dns = dns

    def vouch(self, papers: Papers, own: IIdentity) -> Vouch | Deferred[Vouch]:
        """Ask, unless the domain is one that nobody may be asked about."""
        if asked_of_nobody(split_aor(papers.aor)[1]) or (self._pages is None and self._dns is None):
            return SILENT
        return Deferred.fromCoroutine(self._asked(papers))

    async def _asked(self, papers: Papers) -> Vouch:
        said: list[str] = []
        if self._pages is not None:
            vouch = await self._by_web(self._pages, papers)
            if vouch or vouch.revoked or vouch.until:
                return vouch
            said += vouch.reasons
        if self._dns is None:
            return Vouch(reasons=tuple(said))
        vouch = await self._dns.vouch(papers.aor, papers.statement.key)
        return Vouch(vouch.by, (*said, *vouch.reasons), vouch.until, vouch.revoked)

    async def _by_web(self, pages: Pages, papers: Papers) -> Vouch:
        """Return what the web server says; ``until`` is 0 if it says nothing about the name."""
        domain = split_aor(papers.aor)[1]
        try:
            page = await pages.fetch(domain, f"{name_hash(papers.aor)}.json")
            return self._judged(read_name_file(page.body, papers.aor), papers, page.until)
        except BadNameFile as error:
            return Vouch(reasons=(f"what {domain} publishes cannot be used: {error}",))
        except PageFailed as error:
            return await self._by_chain(pages, papers, str(error))

    def _judged(self, file: NameFile, papers: Papers, until: float) -> Vouch:
        key, now = key_hash(papers.statement.key), self._clock.seconds()
        domain = split_aor(papers.aor)[1]
        if key in file.revoked:
            return Vouch(reasons=(f"{domain} has taken this key back",), until=until, revoked=True)
        if file.expires <= now:
            return Vouch(reasons=(f"what {domain} publishes about the name has expired",), until=until)
        until = min(until, file.expires)
        if key not in file.keys:
            named = any(key_hash(old) in file.keys for old in predecessors(papers.statement))
            reason = "a key that gave way to this one" if named else "another key"
            return Vouch(reasons=(f"{domain} names {reason}",), until=until, contradicted=not named)
        return Vouch(BY_DOMAIN, (f"https://{domain} names this key",), until)

    async def _by_chain(self, pages: Pages, papers: Papers, failed: str) -> Vouch:
        if not papers.chain:
            return Vouch(reasons=(failed,))
        domain = split_aor(papers.aor)[1]
        try:
            page = await pages.fetch(domain, AUTHORITIES_FILE)
            roots = _roots(page.body)
            lists = [papers.revocations, *await self._lists(pages, domain)]
            proof = self._authorities.verify_with(
                roots, papers.chain, papers.aor, papers.statement.key, lists
            )
        except PageFailed:
            return Vouch(reasons=(failed,))
        except Revoked as error:
            until = self._clock.seconds() + FAILURE_KEPT
            return Vouch(reasons=(str(error),), until=until, revoked=True)
        except BadChain as error:
            return Vouch(reasons=(failed, str(error)))
        reasons = (f"an authority that https://{domain} names vouches for it", *proof.reasons)
        return Vouch(BY_DOMAIN, reasons, min(page.until, proof.expires))

    async def _lists(self, pages: Pages, domain: str) -> list[bytes]:
        try:
            return read_lists((await pages.fetch(domain, REVOCATIONS_FILE)).body)
        except PageFailed:
            return []


def _roots(text: bytes) -> list[x509.Certificate]:
    """Return the authorities in a PEM file.

    :raises BadChain: if there is one that is none.
    """
    try:
        authorities = x509.load_pem_x509_certificates(text)
        if len(authorities) > MOST_AUTHORITIES:
            raise BadAuthority(f"there are more than {MOST_AUTHORITIES}")
        return [check_authority(one) for one in authorities]
    except (*UNREADABLE, BadAuthority) as error:
        raise BadChain(f"the domain's authorities cannot be read: {error}") from None
