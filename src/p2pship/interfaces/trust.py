"""The seams of ``p2pship.trust``: whom we believe, whom we know, who may reach us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from p2pship.identity.papers import Papers
    from p2pship.identity.verdict import Verdict
    from p2pship.interfaces.identity import IIdentity
    from p2pship.trust.vouch import Vouch
    from p2pship.trust.wish import Asked, Decision, Wish


class ITrustPolicy(Interface):
    """How true a name is, and what acquaintance its bearer is of ours."""

    def judge(papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Judge the papers of another person for one of our own; does not fail on anything that they say.

        Certificates and a revocation list are looked at if they came along.
        """

    def wants_chain(authority: bytes) -> bool:
        """Tell whether the certificates of somebody whose statement names this authority (8 octets) may prove the name.

        They are then fetched before the person is judged, where they have not come along.
        """


class IVoucher(Interface):
    """Somebody who may know whose name a name is: an authority, the name's domain, the name itself."""

    name = Attribute("str: the name, for people: ``authorities``, ``domain``, ``self``")

    def vouch(papers: Papers, own: IIdentity) -> Vouch | Deferred[Vouch]:
        """Say whether the name in some papers is their identity key's.

        The papers' form and signatures have been checked, nothing else. A Vouch without ``by`` if nothing is known; the
        Deferred, which comes only from those who ask others, does not fail but by being cancelled.
        """


class IScreenRule(Interface):
    """One of the ordered rules that decide who may reach our phones."""

    name = Attribute("str: the name that a decision bears, for people: ``block list``")

    def screen(asked: Asked) -> Decision | Deferred[Decision | None] | None:
        """Decide, or return None to leave it to the next rule; a Deferred where others have to be asked, or wait.

        A rule that fails refuses. It is asked at a hello, too, so being asked must change nothing.
        """


class IScreening(Interface):
    """Who may reach our phones: all rules in their order."""

    def decide(own: str, aor: str, verdict: Verdict, wish: Wish) -> Decision | Deferred[Decision]:
        """Decide whether an authenticated peer may have a wish of one of our own; a refusal is in the journal.

        A Deferred comes where a rule takes its time.
        """


class IAcquaintances(Interface):
    """Who learns from what the user does whom they know."""

    def call_answered(own: str, aor: str, key: bytes, verdict: Verdict, placed: bool) -> None:
        """Hear that a call between an own identity and a person with this identity key (DER) was answered.

        ``placed`` says that our user called, and called this very person.
        """
