"""The story of one call, written while it happens: who was asked, what was tried, who rang, how it ended.

Theory of operation. A trail begins with the INVITE. Until the final response it hears from the search (whom the lookups
found, which devices were reached) and from the fork (who was sent the call, what each answered); after a 2xx from the
dialogs that it made, until the last of them has ended. Whatever it hears it puts into its story at once and tells
``changed``. What others say is made printable and cut, and every list has a most: a story stays below 40 kB, and one that
a stranger causes below 8 kB, since no lookup is asked for an incoming call.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import Enum

from p2pship.identity.hit import format_hit
from p2pship.identity.verdict import Acquaintance
from p2pship.interfaces import IPeer
from p2pship.journal import CallSetUp, printable
from p2pship.lookup.candidate import FindOutcome
from p2pship.overlay.reach import ReachOutcome, Tried
from p2pship.sip.message import Response
from p2pship.status import AskedStory, BranchStory, CallStory, TriedStory

LONGEST_NAME = 160
"Characters of an AOR, a URI or a Call-ID: longer ones are made to annoy."

LONGEST_REASON = 400
"Characters of why something failed: each of four locators has a line to say."

LONGEST_PHRASE = 80
"Characters of a response's own words."

MOST_ENTRIES = 16
"Lookups, devices, branches and notes of one story: more than a person has."

MOST_HEARD = 8
"Different provisional statuses of one branch: six are registered."

OUR_PHONE, OTHER_SIDE, THIS_NODE = "our phone", "the other side", "this node"
"Who ended a call."

LIVE = frozenset({"trying", "ringing", "up"})
"The states of a call that has not ended."


class Shelf(Enum):
    """Which bound a story counts for, so that a flood of strangers' calls pushes out only others of its kind."""

    CALL = "call"
    "our own phones' calls, calls that were answered, and those of people we know"
    MISSED = "missed"
    "a stranger's that rang, and was not answered"
    REFUSED = "refused"
    "what rang nowhere: a stranger's, or a phone's that may not call"


class Trail:
    """One call's story."""

    def __init__(
        self, story: CallStory, place: float, now: Callable[[], float], changed: Callable[[Trail], None]
    ) -> None:
        """Go on with a story that has only begun; ``place`` is more than that of any before, and ``changed`` hears of every change."""
        self.story = story
        self.place = place
        self._now = now
        self._changed = changed
        self._branches: dict[Hashable, BranchStory] = {}
        self._dialogs: set[Hashable] = set()
        self._known = False
        changed(self)

    @property
    def shelf(self) -> Shelf:
        """Which bound it counts for now."""
        if self._known or self.story["answered"] is not None:
            return Shelf.CALL
        return Shelf.REFUSED if self.story["rang"] is None else Shelf.MISSED

    @property
    def live(self) -> bool:
        """Whether the call has not ended."""
        return self.story["state"] in LIVE

    def of_ours(self, caller: str, callee: str) -> None:
        """Take it that a registered phone of ours calls, and who these two are."""
        self._known = True
        self.story["caller"], self.story["callee"] = (
            printable(caller, LONGEST_NAME),
            printable(callee, LONGEST_NAME),
        )

    def with_peer(self, peer: IPeer) -> None:
        """Note who the other side is, and which way it is reached."""
        story, verdict = self.story, peer.verdict
        story["name_grade"] = verdict.name.value
        story["acquaintance"] = verdict.acquaintance.value
        story["verdict"] = printable("; ".join(verdict.reasons), LONGEST_REASON)
        story["encrypted"], story["path"] = peer.encrypted, peer.path
        self._known = self._known or verdict.acquaintance is not Acquaintance.STRANGER
        self._changed(self)

    # What the search for the person called tells.

    def reached(self, peer: IPeer, tried: Tried) -> None:
        """Note a device that was reached."""
        self.with_peer(peer)
        self._tried(peer.aor, tried)

    def searched(self, aor: str, outcome: ReachOutcome) -> None:
        """Note how the search for a person ended, or how far it had come when it was given up; told once of each."""
        self.story["met"] = self.story["met"] or outcome.met
        if outcome.find is not None:
            self._found(aor, outcome.find)
        for tried in outcome.tried:
            self._tried(aor, tried)
        self._changed(self)

    def _found(self, aor: str, find: FindOutcome) -> None:
        asked_now = [
            AskedStory(
                aor=printable(aor, LONGEST_NAME),
                lookup=asked.lookup,
                answer=asked.answer.value,
                seconds=_rounded(asked.seconds),
                reason=printable(asked.reason, LONGEST_REASON),
            )
            for asked in find.asked
        ]
        claims = [f"several keys claim the name {aor}, and none is proven"] if find.ambiguous else []
        refused = [printable(each, LONGEST_REASON) for each in (*claims, *find.refused)]
        self.story["asked"] = [*self.story["asked"], *asked_now][:MOST_ENTRIES]
        self.story["refused"] = [*self.story["refused"], *refused][:MOST_ENTRIES]

    def _tried(self, aor: str, tried: Tried) -> None:
        story = TriedStory(
            aor=printable(aor, LONGEST_NAME),
            hit=format_hit(tried.hit),
            lookup=tried.lookup,
            locators=[str(locator) for locator in tried.locators[:MOST_ENTRIES]],
            reached=tried.reached,
            lookup_seconds=_rounded(tried.lookup_seconds),
            dial_seconds=_rounded(tried.dial_seconds),
            hello_seconds=_rounded(tried.hello_seconds),
            reason=printable(tried.reason, LONGEST_REASON),
        )
        who = (story["aor"], story["hit"])
        others = [each for each in self.story["tried"] if (each["aor"], each["hit"]) != who]
        self.story["tried"] = [*others, story][:MOST_ENTRIES]

    # What the fork tells.

    def sent(self, branch: Hashable, to: str) -> None:
        """Note that the call was sent to a phone or a device."""
        if len(self._branches) >= MOST_ENTRIES:
            return
        story = BranchStory(to=printable(to, LONGEST_NAME), at=self._after(), heard=[], error="")
        self._branches[branch] = story
        self.story["branches"].append(story)
        self._changed(self)

    def heard(self, branch: Hashable, response: Response) -> None:
        """Note what one of them answered; that it rings, if it does."""
        story = self._branches.get(branch)
        if story is None or any(each["status"] == response.status for each in story["heard"]):
            return
        if len(story["heard"]) < MOST_HEARD or response.status >= 200:
            reason = printable(response.reason, LONGEST_PHRASE)
            story["heard"].append({"status": response.status, "reason": reason, "at": self._after()})
        if 100 < response.status < 200:
            self._rings()
        self._changed(self)

    def _rings(self) -> None:
        if self.story["rang"] is None:
            self.story["rang"] = self._after()
        if self.story["state"] == "trying":
            self.story["state"] = "ringing"

    def failed(self, branch: Hashable, reason: str) -> None:
        """Note that no final answer will come from one of them."""
        story = self._branches.get(branch)
        if story is not None:
            story["error"] = printable(reason, LONGEST_REASON)
            self._changed(self)

    # How it ends.

    def refused(self, rule: str) -> None:
        """Note the rule of this node that refuses the call; :meth:`finished` follows."""
        self.story["rule"] = rule

    def finished(
        self, status: int, reason: str, cancelled: str | None = None, elsewhere: bool = False
    ) -> None:
        """Take the final response to the INVITE.

        ``cancelled`` says who gave the call up, None if nobody did; ``elsewhere`` whether another has answered.
        """
        if self.story["status"]:
            return
        self.story["status"] = status
        if status >= 300:
            self._end(self._state_after(status, cancelled is not None, elsewhere), cancelled or "", reason)
        elif self.live and not self._dialogs:
            self._end("ended", THIS_NODE, "the answer made no dialog")
        self._changed(self)

    def _end(self, state: str, by: str, reason: str) -> None:
        story = self.story
        story["state"], story["ended"], story["ended_by"] = state, self._after(), by
        story["reason"] = printable(reason, LONGEST_REASON)

    def _state_after(self, status: int, cancelled: bool, elsewhere: bool) -> str:
        """Return the word for a call that was not answered."""
        if self.story["rule"]:
            return "refused"
        if 300 <= status < 400:
            return "redirected"
        if elsewhere and cancelled:
            return "elsewhere"
        rang_here = self.story["direction"] == "incoming" and self.story["rang"] is not None
        if rang_here and (cancelled or status in (408, 480, 487)):
            return "missed"
        return "cancelled" if cancelled else "failed"

    def set_up(self, fact: CallSetUp) -> None:
        """Note where the time went until it rang."""
        stages = (fact.lookup, fact.dial, fact.hello, fact.remote, fact.total)
        lookup, dial, hello, remote, total = map(_rounded, stages)
        self.story["stages"] = {
            "lookup": lookup,
            "dial": dial,
            "hello": hello,
            "remote": remote,
            "total": total,
        }
        self._changed(self)

    def up(self, dialog: Hashable, peer: IPeer) -> None:
        """Take it that the call was answered, which makes this dialog; a fork may make several."""
        self._dialogs.add(dialog)
        self.with_peer(peer)
        if self.story["answered"] is None:
            self.story["answered"] = self._after()
        self.story["state"] = "up"
        self._changed(self)

    def has(self, dialog: Hashable) -> bool:
        """Tell whether an answer to this very call made a dialog, and it lives."""
        return dialog in self._dialogs

    def down(self, dialog: Hashable, by: str, reason: str) -> None:
        """Take it that a dialog has ended; the call has with the last one."""
        self._dialogs.discard(dialog)
        if self._dialogs or self.story["state"] != "up":
            return
        self._end("ended", by, reason)
        self._changed(self)

    def note(self, words: str) -> None:
        """Note what else happened."""
        if len(self.story["notes"]) < MOST_ENTRIES:
            self.story["notes"].append(printable(words, LONGEST_REASON))
            self._changed(self)

    def _after(self) -> float:
        return _rounded(max(0.0, self._now() - self.story["began"]))  # the clock may have been set back


def begun(id: str, call_id: str, direction: str, caller: str, callee: str, now: float) -> CallStory:
    """Return the story of a call that has only begun."""
    return CallStory(
        id=id,
        call_id=printable(call_id, LONGEST_NAME),
        direction=direction,
        caller=printable(caller, LONGEST_NAME),
        callee=printable(callee, LONGEST_NAME),
        began=now,
        state="trying",
        name_grade="",
        acquaintance="",
        verdict="",
        encrypted=None,
        path="",
        rule="",
        asked=[],
        refused=[],
        tried=[],
        met=False,
        branches=[],
        stages=None,
        rang=None,
        answered=None,
        ended=None,
        ended_by="",
        status=0,
        reason="",
        notes=[],
    )


def _rounded(seconds: float) -> float:
    """Return seconds to a tenth of a millisecond, and never below none: clocks are set back."""
    return round(seconds, 4) if seconds > 0 else 0.0
