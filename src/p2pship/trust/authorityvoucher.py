"""The voucher of the authorities that the user trusts."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from p2pship.identity.aor import split_aor
from p2pship.identity.papers import Papers
from p2pship.interfaces import IIdentity, IVoucher
from p2pship.trust.authorities import Authorities
from p2pship.trust.certificates import BadChain
from p2pship.trust.proof import Revoked
from p2pship.trust.vouch import SILENT, Vouch, by_authority

ASK_AGAIN = 24 * 3600
"Seconds for which an answer is good: a new revocation list is told by :meth:`Authorities.watch`, not waited for."


@implementer(IVoucher)
class AuthorityVoucher:
    """Says what the certificates in the papers prove, at once."""

    name = "authorities"

    def __init__(
        self, authorities: Authorities, clock: IReactorTime, look: Callable[[str], None] | None = None
    ) -> None:
        """``look`` fetches the newest lists of a domain whenever an authority vouches for a name; None asks no web server."""
        self._authorities = authorities
        self._look = look
        self._clock = clock

    def vouch(self, papers: Papers, own: IIdentity) -> Vouch:
        """Vouch for a name whose certificates lead to an authority that is trusted for its domain, and are not revoked."""
        if not papers.chain:
            return self._without_chain(papers)
        try:
            proof = self._authorities.verify(
                papers.chain, papers.aor, papers.statement.key, papers.revocations
            )
        except Revoked as error:
            return Vouch(reasons=(str(error),), until=self._clock.seconds() + ASK_AGAIN, revoked=True)
        except BadChain as error:
            return Vouch(reasons=(str(error),))
        if self._look is not None:
            self._look(split_aor(papers.aor)[1])
        until = min(proof.expires, self._clock.seconds() + ASK_AGAIN)
        reasons = (
            f"an authority that you trust for {split_aor(papers.aor)[1]} vouches for it",
            *proof.reasons,
        )
        return Vouch(by_authority(proof.root), reasons, until)

    def _without_chain(self, papers: Papers) -> Vouch:
        if papers.statement.authority and self._authorities.hint(papers.statement.authority):
            return Vouch(
                reasons=("an authority that you trust is named, but its certificates did not come along",)
            )
        return SILENT
