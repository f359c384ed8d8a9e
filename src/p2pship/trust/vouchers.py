"""The vouchers of a node, in the order in which they are asked."""

from __future__ import annotations

from typing import Any

from p2pship.interfaces import IVoucher
from p2pship.trust.authorities import Authorities
from p2pship.trust.authorityvoucher import AuthorityVoucher
from p2pship.trust.selfvoucher import SelfVoucher
from p2pship.trust.settings import TrustSettings


def vouchers(authorities: Authorities, reactor: Any, settings: TrustSettings) -> list[IVoucher]:
    """Return those who answer at once, and then the domain as far as the settings allow to ask it."""
    if not settings.domains and not settings.dnssec:
        return [SelfVoucher(), AuthorityVoucher(authorities, reactor)]
    # Imported here: the web client takes megabytes, which a node that asks nobody does not need.
    from p2pship.trust.dnssec import DNSSEC
    from p2pship.trust.domainvoucher import DomainVoucher
    from p2pship.trust.pages import Pages, https
    from p2pship.trust.publishedlists import PublishedLists
    from p2pship.trust.resolver import Resolver

    pages = Pages(https(reactor), reactor) if settings.domains else None
    dns = DNSSEC(Resolver(reactor).ask, reactor) if settings.dnssec else None
    lists = PublishedLists(pages, authorities) if pages is not None else None
    by_authority = AuthorityVoucher(authorities, reactor, lists)
    return [SelfVoucher(), by_authority, DomainVoucher(authorities, reactor, pages, dns)]
