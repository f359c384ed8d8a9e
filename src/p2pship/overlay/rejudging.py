"""Judges the peers of a person again, when it has become known who that is, or the user has changed who may come."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

from p2pship.identity.papers import Statement
from p2pship.identity.verdict import NameGrade
from p2pship.interfaces import ITrustPolicy
from p2pship.overlay.peer import Peer
from p2pship.overlay.vetting import Admit


class Rejudging:
    """Gives peers another verdict, and ends those that would not be let in with it.

    Somebody whom we called, and who would not have been let in before either, stays: the user wanted that.
    """

    log = Logger()

    def __init__(self, trust: ITrustPolicy, admit: Admit, peers: Iterable[Peer]) -> None:
        self._trust = trust
        self._admit = admit
        self._peers = peers

    def judge_again(self, own: str, aor: str) -> None:
        """Judge the peers again that a person's devices are to an own identity, "" being everybody; each when it is judged."""
        for peer in self._peers:
            meant = own in ("", peer.identity.aor) and aor in ("", peer.aor)
            if meant and peer.papers is not None:
                self._begin(peer)

    def expired(self, now: float) -> None:
        """Judge the peers again whose verdict has had its time; nobody is hung up on but whose key is the wrong one then.

        What they want from now on is screened by the new verdict, and a domain may be slow to say the same again.
        """
        for peer in self._peers:
            if peer.papers is not None and peer.verdict.until <= now:
                self._begin(peer, ends=False)

    def succeeded(self, statement: Statement, former: Collection[bytes], own_hit: bytes) -> None:
        """Judge the peers that a person's devices are to one of ours by the key of a new statement, if theirs gave way to it.

        Their sessions go on: the same devices are there. The next hello brings the certificates.
        """
        for peer in self._peers if former else ():
            papers = peer.papers
            if papers is None or (papers.aor, peer.own_hit) != (statement.aor, own_hit):
                continue
            if papers.statement.key not in former:
                continue
            peer.papers = replace(papers, statement=statement, chain=(), revocations=b"")
            if peer.sought in former:
                peer.sought = statement.key
            self._begin(peer)

    def _begin(self, peer: Peer, ends: bool = True) -> None:
        judged = Deferred.fromCoroutine(self._judge(peer, ends))
        judged.addErrback(lambda failure: self.log.failure("a peer could not be judged", failure))

    async def _judge(self, peer: Peer, ends: bool) -> None:
        papers = peer.papers
        assert papers is not None
        verdict = await self._trust.judge(papers, peer.identity)
        admitted = bool(await maybeDeferred(self._admit, papers, peer.identity.aor, verdict))
        if peer.over or peer.papers is not papers:  # a newer hello has been judged
            return
        before, peer.verdict, peer.admitted = peer.admitted, verdict, admitted
        if verdict.name is NameGrade.CHANGED:
            peer.end(
                f"the identity key of {peer.aor} is not the one that was confirmed, or that the domain names"
            )
        elif ends and not admitted and (before or peer.sought is None):
            peer.end(f"{peer.aor} is not let in any more")
