"""Screening: the one place where it is decided who may reach our phones.

What is decided about comes from the authenticated peer: name and key as their papers and the verdict on them have them, never
a header. The rules are asked in their order, and the first that decides names itself in the decision. A rule may take its
time, as one that asks others or waits for the person to solve something. One that fails refuses: what is not known to be
allowed is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import IScreening, IScreenRule
from p2pship.journal import Journal
from p2pship.trust.blocks import Blocks
from p2pship.trust.facts import AttemptRefused
from p2pship.trust.rules import (
    Acquaintances,
    AllowList,
    BlockList,
    ChangedKeys,
    NameGrades,
    OwnDevices,
    Spelling,
    Strangers,
)
from p2pship.trust.screensettings import ScreenSettings
from p2pship.trust.wish import Asked, Decision, Wish

_NOBODY = Decision(False, "nobody", "no rule lets them")


@implementer(IScreening)
class Screening:
    """Asks the rules, and tells the journal of everybody who is not even let in."""

    log = Logger()

    def __init__(
        self,
        settings: ScreenSettings,
        blocks: Blocks,
        journal: Journal,
        rules: Sequence[IScreenRule] | None = None,
    ) -> None:
        """``rules`` takes the place of the usual ones: others come before those of :func:`usual_rules`."""
        self._settings = settings
        self._journal = journal
        self._rules = tuple(usual_rules(settings, blocks) if rules is None else rules)
        self.open_doors: set[str] = set()
        "own AORs for which strangers are let in now, whatever is configured: a device is being linked"

    def decide(self, own_aor: str, aor: str, verdict: Verdict, wish: Wish) -> Decision | Deferred[Decision]:
        """Decide whether a person may do something to one of our own; who asks tells the journal.

        ``own_aor`` and ``aor`` are canonical, ``aor`` and ``verdict`` those of the authenticated peer. A Deferred, which does
        not fail but by being cancelled, comes only where a rule gives one.
        """
        return self._ask(Asked(own_aor, aor, verdict, wish), iter(self._rules))

    def may_enter(self, own: str, aor: str, verdict: Verdict, expected: bool = False) -> bool:
        """Tell whether a hello is to be accepted: not if everything would be refused. A refusal is in the journal.

        Strangers who are ``expected`` are let in all the same, though they can do no more then than the rules allow.
        """
        decision = _NOBODY
        for wish in Wish:
            asked = self._ask(Asked(own, aor, verdict, wish), iter(self._rules))
            if isinstance(asked, Deferred):
                asked.addErrback(_forget).cancel()
                return True
            if asked.allowed:
                return True
            decision = asked
        if (expected or own in self.open_doors) and self._is_visitor(verdict, decision):
            return True
        self._journal.tell(AttemptRefused(own, aor, decision.rule, decision.reason))
        return False

    def summary(self) -> str:
        """Say in one line what strangers may do, for the start."""
        what = [wish.value for wish in Wish if "stranger" in getattr(self._settings, wish.value)]
        if self._settings.strangers == "messages":
            what = [wish for wish in what if wish == Wish.MESSAGE.value]
        if self._settings.strangers == "refuse" or not what:
            return "strangers are refused"
        return f'strangers may reach you: {" and ".join(what)} ([screen] strangers = "refuse" ends that)'

    @staticmethod
    def _is_visitor(verdict: Verdict, decision: Decision) -> bool:
        """Tell whether somebody is refused only because nobody knows them."""
        unknown = verdict.acquaintance in (Acquaintance.STRANGER, Acquaintance.INTRODUCED)
        return (
            unknown
            and verdict.name is not NameGrade.CHANGED
            and decision.rule not in (BlockList.name, Spelling.name)
        )

    def _ask(self, asked: Asked, rules: Iterator[IScreenRule]) -> Decision | Deferred[Decision]:
        for rule in rules:
            try:
                decision = rule.screen(asked)
            except Exception:  # noqa: BLE001 (a rule may be anybody's code)
                return self._failed(Failure(), rule.name)
            if isinstance(decision, Deferred):
                decision.addErrback(self._failed, rule.name)
                return decision.addCallback(self._or_next, asked, rules)
            if decision is not None:
                return decision
        return _NOBODY

    def _or_next(
        self, decision: Decision | None, asked: Asked, rules: Iterator[IScreenRule]
    ) -> Decision | Deferred[Decision]:
        return self._ask(asked, rules) if decision is None else decision

    def _failed(self, failure: Failure, name: str) -> Decision:
        if failure.check(CancelledError):
            failure.raiseException()
        self.log.failure("the rule {rule} failed", failure, rule=name)
        return Decision(False, name, "the rule failed: the log says how")


def usual_rules(settings: ScreenSettings, blocks: Blocks) -> list[IScreenRule]:
    """Return the rules of every node, in their order."""
    return [
        OwnDevices(),
        Spelling(settings),
        BlockList(blocks),
        ChangedKeys(),
        AllowList(blocks),
        Strangers(settings),
        NameGrades(settings),
        Acquaintances(settings),
    ]


def _forget(failure: Failure) -> None:
    failure.trap(CancelledError)
