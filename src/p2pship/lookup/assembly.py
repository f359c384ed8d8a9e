"""Puts together what belongs to a sealed item: what had no room in it is fetched, if it can change the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from p2pship.errors import BadPapers
from p2pship.identity.papers import Papers
from p2pship.identity.place import Place
from p2pship.identity.seal import OpenedItem
from p2pship.identity.verify import papers_from, with_chain
from p2pship.lookup.newest import NewestStatements
from p2pship.lookup.pieces import PieceSearch, Whose
from p2pship.lookup.sought import Sought
from p2pship.lookup.surroundings import Surroundings
from p2pship.lookup.trace import NO_TRACE, Trace


class Assembly:
    """Makes papers of the items of one search."""

    log = Logger()

    def __init__(self, surroundings: Surroundings, sought: Sought, trace: Trace = NO_TRACE) -> None:
        self._aor = sought.aor
        self._pieces = PieceSearch(surroundings, sought)
        self._around = surroundings
        self._trace = trace
        self._statements = NewestStatements()

    def cancel(self) -> None:
        """Wait for no pieces any longer."""
        self._pieces.cancel()

    async def papers(self, place: Place, opened: OpenedItem, whose: Whose) -> Papers:
        """Return the papers of an item that was found at a place, with the certificates where they may prove the name.

        :raises BadPapers: if anything is wrong with them, they are not whole, or newer ones are known.
        """
        statement = opened.statement or await self._whole("statement", place, opened.annex.statement, whose)
        if statement is None:
            raise BadPapers("the item has no room for the person's statement, and its pieces were not found")
        papers = self._verified(place, statement, opened)
        if opened.annex.chain and self._wants_chain(papers):
            return await self._with_chain(place, opened, papers, whose)
        return papers

    def _whole(
        self, what: str, place: Place, references: Sequence[bytes], whose: Whose
    ) -> Deferred[bytes | None]:
        def fetched(octets: bytes | None) -> bytes | None:
            if references:
                self._trace.fetched(what, len(references), octets is not None)
            return octets

        return self._pieces.whole(place, references, whose).addCallback(fetched)

    def _verified(self, place: Place, statement: bytes, opened: OpenedItem) -> Papers:
        published_under = opened.publication_key if place.open else None  # a friend's seal is proof enough
        papers = papers_from(
            statement, opened.record, self._around.reactor.seconds(), self._aor, published_under
        )
        self._around.keyring.check(papers)
        self._statements.check(papers)
        return papers

    def _wants_chain(self, papers: Papers) -> bool:
        authority = papers.statement.authority
        return bool(authority) and self._around.trust.wants_chain(authority)

    async def _with_chain(self, place: Place, opened: OpenedItem, papers: Papers, whose: Whose) -> Papers:
        """Return the papers with the certificates, or as they are where these cannot be had.

        Somebody else who knows the name may have sealed these papers anew, with references to what is not theirs: that must
        not be held against the person.
        """
        chain, revocations = await gatherResults(
            [
                self._whole("certificates", place, opened.annex.chain, whose),
                self._whole("revocation list", place, opened.annex.revocations, whose),
            ]
        )
        try:
            return with_chain(papers, chain or b"", revocations or b"")
        except BadPapers as error:
            self._around.journal.count("lookup.wrong_chain")
            self.log.debug("the certificates of {aor} are left out: {error}", aor=self._aor, error=error)
            return papers
