"""The vouchers of a node, in the order in which they are asked."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from p2pship.identity.aor import split_aor
from p2pship.identity.papers import Papers
from p2pship.interfaces import IIdentity, IVoucher
from p2pship.trust.authorities import Authorities
from p2pship.trust.authorityvoucher import AuthorityVoucher
from p2pship.trust.selfvoucher import SelfVoucher
from p2pship.trust.settings import TrustSettings
from p2pship.trust.specialuse import asked_of_nobody
from p2pship.trust.vouch import SILENT, Vouch

if TYPE_CHECKING:
    from p2pship.trust.domainvoucher import DomainVoucher
    from p2pship.trust.pages import Endpoint, Pages
    from p2pship.trust.publishedlists import PublishedLists


def vouchers(authorities: Authorities, reactor: Any, settings: TrustSettings) -> list[IVoucher]:
    """Return those who answer at once, and then the domain as far as the settings allow to ask it."""
    if not settings.domains and not settings.dnssec:
        return [SelfVoucher(), AuthorityVoucher(authorities, reactor)]
    domain = LateDomainVoucher(authorities, reactor, settings)
    look = domain.look if settings.domains else None
    return [SelfVoucher(), AuthorityVoucher(authorities, reactor, look), domain]


@implementer(IVoucher)
class LateDomainVoucher:
    """Makes what asks domains when there is the first question.

    The web client and the cryptography of the DNS take two megabytes and their share of a second: a node whose people are
    known to it never asks, and starts without.

    What was asked for identities of one device of ours is asked again for those of another: who is asked, and who waits for the
    answer, is not to see that they are on one node.
    """

    name = "domain"

    def __init__(self, authorities: Authorities, reactor: Any, settings: TrustSettings) -> None:
        self._authorities = authorities
        self._reactor = reactor
        self._settings = settings
        self._vouchers: dict[bytes, DomainVoucher] = {}
        "by the HIT of our device"

    def vouch(self, papers: Papers, own: IIdentity) -> Vouch | Deferred[Vouch]:
        """Ask, as :class:`~p2pship.trust.domainvoucher.DomainVoucher` does."""
        if asked_of_nobody(split_aor(papers.aor)[1]):
            return SILENT
        hit = own.device.hit
        if hit not in self._vouchers:
            self._vouchers[hit] = self._voucher()
        return self._vouchers[hit].vouch(papers, own)

    def look(self, domain: str) -> None:
        """Fetch the revocation lists of a domain, as :class:`~p2pship.trust.publishedlists.PublishedLists` does."""
        if not asked_of_nobody(domain):
            self._lists.look(domain)

    def _pages(self) -> Pages:
        from p2pship.trust.pages import Pages

        return Pages(self._endpoint, self._reactor)

    @cached_property
    def _endpoint(self) -> Endpoint:
        """What connects to domains, for all: however many devices we have, the names to be resolved leave threads to others."""
        from p2pship.trust.pages import https

        return https(self._reactor)

    @cached_property
    def _lists(self) -> PublishedLists:
        from p2pship.trust.publishedlists import PublishedLists

        return PublishedLists(self._pages(), self._authorities)

    def _voucher(self) -> DomainVoucher:
        from p2pship.trust.dnssec import DNSSEC
        from p2pship.trust.domainvoucher import DomainVoucher
        from p2pship.trust.resolver import Resolver

        dns = DNSSEC(Resolver(self._reactor).ask, self._reactor) if self._settings.dnssec else None
        pages = self._pages() if self._settings.domains else None
        return DomainVoucher(self._authorities, self._reactor, pages, dns)
