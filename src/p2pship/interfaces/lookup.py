"""The seams of ``p2pship.lookup``: where people are, and what is told of a search for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from p2pship.interfaces.identity import IIdentity
    from p2pship.lookup.candidate import Candidate, FindOutcome, Found, Question, Slot
    from p2pship.status import ServerStatus


class ISearch(Interface):
    """A search under way."""

    def cancel() -> None:
        """End the search now; its receiver is told nothing more. Harmless when it has ended."""


class IFinding(ISearch):
    """A search of every lookup for a person under way."""

    def so_far() -> FindOutcome:
        """Return what would be told now if it ended; a lookup that has not ended yet is told as such."""


class ISearchReceiver(Interface):
    """What a lookup tells of one search."""

    def candidate_received(candidate: Candidate) -> None:
        """Take an answer, which may be anybody's: nothing of it has been checked."""

    def noted(words: str) -> None:
        """Hear whom the lookup asks, or what is of no use on the way: for who watches the search, and said as often as it is true."""

    def search_ended(error: Exception | None) -> None:
        """Hear that no more answers come: None when the lookup was truly asked, else why it was not."""


class ILookup(Interface):
    """A place where sealed records are published and found."""

    name = Attribute("str: the name, which is also its section ``[lookup.NAME]`` and its word in the log")
    wide_area = Attribute(
        "bool: whether others than our own networks can ask it, so that no private address may go there"
    )
    publishing = Attribute(
        "p2pship.lookup.candidate.Publishing: whether anything is published on it, and read back to see that it is found"
    )

    def start() -> Deferred[None]:
        """Begin; fires when questions can be asked. What cannot be opened now is tried again, not failed for ever."""

    def stop() -> Deferred[None]:
        """End, and fire when every socket is closed."""

    def find(question: Question, receiver: ISearchReceiver) -> ISearch:
        """Ask for what is published under a lookup key; the lookup ends the search in its own time.

        The receiver may be told before this has returned.
        """

    def follow(question: Question, receiver: ISearchReceiver) -> ISearch | None:
        """Tell what is published under a lookup key, now and as it changes, until cancelled; None where only asking tells.

        It ends, with an error, where the lookup can no longer tell; whoever wants to know then asks.
        """

    def publish(slot: Slot, item: bytes) -> Deferred[None]:
        """Publish a sealed item of at most 960 octets, in place of the slot's last one; fires when the lookup has it."""

    def withdraw(slot: Slot) -> Deferred[None]:
        """Take back what the slot holds."""


class IAsksServers(Interface):
    """Says of a lookup that it uses servers that somebody runs."""

    def servers() -> list[ServerStatus]:
        """Say of each how it is."""


class IFindReceiver(Interface):
    """What the search for a person tells."""

    def device_found(found: Found) -> None:
        """Take one device of the person whose papers hold and whose key may be dialled."""

    def find_ended(outcome: FindOutcome) -> None:
        """Hear that no more devices come, and what was asked."""


class IFinder(Interface):
    """All lookups at once."""

    def find(aor: str, own: IIdentity, receiver: IFindReceiver) -> IFinding:
        """Search every lookup for the devices of a canonical AOR, on behalf of an own identity.

        The receiver is told nothing before this has returned.
        """

    def forget(aor: str, device_key: bytes) -> None:
        """Hear that a device that was found was dialled in vain, so that it is not told again from memory."""
