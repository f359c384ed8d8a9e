"""How true a name is, and what acquaintance its bearer is."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from p2pship.identity.papers import Papers
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import IIdentity, IKeyring, ITrustPolicy

_OWN = Verdict(NameGrade.KNOWN, Acquaintance.OWN, ("the identity key is our own",))
_STRANGER = Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER, ("nobody vouches for the name",))


@implementer(ITrustPolicy)
class TrustPolicy:
    """Knows our own devices by their identity key; everybody else is a stranger with an unproven name."""

    def __init__(self, keyring: IKeyring) -> None:
        self._keyring = keyring

    def judge(self, papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Judge the papers of another device for one of our own identities."""
        same_name = self._keyring.identity(papers.aor)
        ours = same_name is not None and same_name.key == papers.statement.key
        return succeed(_OWN if ours else _STRANGER)
