"""What every search of a node works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from p2pship.identity.papers import Papers
from p2pship.identity.place import day_of
from p2pship.identity.verdict import Verdict
from p2pship.interfaces import IKeyring, ILookup, INetwork, ITrustPolicy
from p2pship.journal import Journal
from p2pship.lookup.candidate import Candidate, Found
from p2pship.lookup.clockdoubt import ClockDoubt
from p2pship.lookup.dialable import dialable
from p2pship.lookup.piecestore import PieceStore
from p2pship.lookup.sought import Sought
from p2pship.network import networks_of


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Its neighbours in the node, and what all searches share."""

    reactor: Any
    lookups: tuple[ILookup, ...]
    trust: ITrustPolicy
    keyring: IKeyring
    network: INetwork
    journal: Journal
    clock_doubt: ClockDoubt
    "hears the dates of who was found"
    pieces: PieceStore = field(default_factory=PieceStore)
    "those that any search has found"

    def sought(self, aor: str) -> Sought:
        """Return who is searched for from now on, by a canonical AOR: their place of today, their devices as far as they are known."""
        return Sought(aor, day_of(self.reactor.seconds()), self.keyring.publication_keys(aor))

    def found(self, papers: Papers, candidate: Candidate, verdict: Verdict) -> Found:
        """Return what a candidate's papers and the verdict on them make of it, with the locators that may be dialled as things are."""
        # A search may begin on one network and end on another.
        networks = networks_of(self.network.interfaces())
        locators = dialable(papers.record.locators, candidate, networks)
        return Found(papers, locators, verdict, candidate.lookup)
