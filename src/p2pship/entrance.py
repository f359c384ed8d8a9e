"""Who is let in with a hello: screening decides, and here is what it has to know and what the owner is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from p2pship.desk import Desk
from p2pship.identity.papers import Papers
from p2pship.identity.verdict import NameGrade, Verdict
from p2pship.interfaces import IPeer
from p2pship.relations.renewaldesk import is_member
from p2pship.sip.notices import Notices


class Entrance:
    """Asks screening about everybody who says hello, or is judged again."""

    def __init__(
        self, desk: Desk, peers: Callable[[], Iterable[IPeer]], notices: Callable[[], Notices]
    ) -> None:
        """``peers`` and ``notices`` are called when there is somebody to let in."""
        self._desk = desk
        self._peers = peers
        self._notices = notices

    def admit(self, papers: Papers, called: str, verdict: Verdict) -> bool:
        """Tell whether a person is let in to the AOR that they called, which need not be one of ours.

        Members of an authority of ours are, if they call who runs it: they come to have their certificates renewed.
        """
        if verdict.name is NameGrade.CHANGED and not verdict.outdated:
            self._tell(papers, called)
        expected = is_member(self._desk.authorities, called, papers.statement)
        return self._desk.screening.may_enter(called, papers.aor, verdict, expected)

    def _tell(self, papers: Papers, called: str) -> None:
        """Tell the owner that somebody came with another key than the pinned one, if that is news.

        It is none while the person is here by the known key: then it is a lie, and the journal is enough. Nor is it where
        somebody who is here is judged again, as then the user has just changed what is known of them.
        """
        pin = self._desk.pins.get(called, papers.aor)
        if pin is None:
            return
        known = [peer for peer in self._peers() if (peer.identity.aor, peer.aor) == (called, papers.aor)]
        if any(peer.papers is papers or (peer.path and _key_of(peer) == pin.key) for peer in known):
            return
        self._notices().came_changed(called, papers.aor)


def _key_of(peer: IPeer) -> bytes:
    return bytes(peer.papers.statement.key) if peer.papers is not None else b""
