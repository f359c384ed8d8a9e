"""The voucher of names that prove themselves: ``<fingerprint>@p2pship.alt``."""

from __future__ import annotations

from zope.interface import implementer

from p2pship.identity.fingerprint import names_itself
from p2pship.identity.papers import Papers
from p2pship.interfaces import IIdentity, IVoucher
from p2pship.trust.vouch import BY_ITSELF, SILENT, Vouch

_FOREVER = float("inf")


@implementer(IVoucher)
class SelfVoucher:
    """Compares the user part with the fingerprint of the identity key, at once; nobody is asked."""

    name = "self"

    def vouch(self, papers: Papers, own: IIdentity) -> Vouch:
        """Vouch for a name that is the fingerprint of its key."""
        answer = names_itself(papers.aor, papers.statement.key)
        if answer is None:
            return SILENT
        if not answer:
            return Vouch(reasons=("the name is the fingerprint of another key",), until=_FOREVER)
        return Vouch(BY_ITSELF, ("the name is the fingerprint of its key",), _FOREVER)
