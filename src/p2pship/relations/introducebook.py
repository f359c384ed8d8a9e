"""What an own identity has asked its friends about third people, was asked, and has given: in the ledger, so on all its devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from p2pship.errors import BadPapers
from p2pship.trust.introductions import Introduction, read_introduction
from p2pship.trust.ledger import Ledger

ASKED, QUESTION, GIVEN = "asked", "question", "given"
"Kinds of the ledger: what we asked a friend, what a friend asked us, and what we gave one."

MOST_QUESTIONS = 8
"Questions of one friend that wait for the owner, or were refused lately: more are dropped."

QUESTION_HOLDS = 30 * 24 * 3600
"Seconds that a question or its refusal is remembered, and that an own question is asked again."


@dataclass(frozen=True, slots=True)
class Question:
    """A friend asked one of our own to vouch for somebody."""

    asker: str
    subject: str
    asked: int
    "Unix time"
    refused: bool


@dataclass(frozen=True, slots=True)
class Given:
    """A vouch that one of our own has given."""

    vouch: Introduction
    revoked: bool


class Book:
    """The entries of all own identities."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # What we asked.

    def ask(self, own: str, subject: str, friend: str, now: float) -> None:
        """Note that a friend is asked about somebody; raises LocalError if it cannot be written."""
        self._ledger.put(own, ASKED, f"{subject} {friend}", int(now))

    def is_asked(self, own: str, subject: str, friend: str) -> bool:
        """Tell whether a friend was asked about somebody, and has not answered."""
        return self._ledger.get(own, ASKED, f"{subject} {friend}") is not None

    def answered(self, own: str, subject: str, friend: str) -> None:
        """Forget that a friend was asked."""
        self._ledger.remove(own, ASKED, f"{subject} {friend}")

    def asked(self, own: str) -> list[tuple[str, str, int]]:
        """Return subject, friend and date of each question that waits for a friend."""
        found = []
        for name, at in self._ledger.items(own, ASKED).items():
            subject, _, friend = name.partition(" ")
            found.append((subject, friend, at if isinstance(at, int) else 0))
        return found

    # What we were asked.

    def question(self, own: str, asker: str, subject: str, now: float) -> bool:
        """Note what a friend asks; False if it is not news, or the friend has asked too much."""
        questions = [one for one in self.questions(own, now, refused=True) if one.asker == asker]
        if len(questions) >= MOST_QUESTIONS or any(one.subject == subject for one in questions):
            return False
        self._ledger.put(own, QUESTION, f"{subject} {asker}", {"asked": int(now), "refused": False})
        return True

    def questions(self, own: str, now: float, refused: bool = False) -> list[Question]:
        """Return what waits for the owner, the oldest first; with ``refused`` also what was refused lately."""
        found = [_question(name, value) for name, value in self._ledger.items(own, QUESTION).items()]
        fresh = [one for one in found if now - one.asked < QUESTION_HOLDS and (refused or not one.refused)]
        return sorted(fresh, key=lambda one: (one.asked, one.subject, one.asker))

    def refuse(self, own: str, asker: str, subject: str, now: float) -> bool:
        """Refuse a question; False if there is none. The asker hears nothing of it."""
        if not any((one.asker, one.subject) == (asker, subject) for one in self.questions(own, now)):
            return False
        self._ledger.put(own, QUESTION, f"{subject} {asker}", {"asked": int(now), "refused": True})
        return True

    # What we gave.

    def give(self, own: str, vouch: Introduction) -> None:
        """Note a vouch that was signed; its question is answered. Raises LocalError if it cannot be written."""
        self._ledger.put(own, GIVEN, vouch.serial.hex(), {"vouch": vouch.raw, "revoked": False})
        self._ledger.remove(own, QUESTION, f"{vouch.subject} {vouch.audience}")

    def given(self, own: str) -> list[Given]:
        """Return the vouches that were given, those taken back too."""
        found = map(_given, self._ledger.items(own, GIVEN).values())
        return [one for one in found if one is not None]

    def take_back(self, own: str, subject: str, audience: str) -> list[Introduction]:
        """Take back every vouch for somebody that a friend was given; returns them.

        :raises LocalError: if it cannot be written.
        """
        both = subject, audience
        vouches = [one.vouch for one in self.given(own) if not one.revoked]
        gone = [vouch for vouch in vouches if (vouch.subject, vouch.audience) == both]
        for vouch in gone:
            self._ledger.put(own, GIVEN, vouch.serial.hex(), {"vouch": vouch.raw, "revoked": True})
        return gone


def _question(name: str, value: Any) -> Question:
    subject, _, asker = name.partition(" ")
    fields = value if isinstance(value, dict) else {}
    asked = fields.get("asked")
    return Question(asker, subject, asked if isinstance(asked, int) else 0, fields.get("refused") is True)


def _given(value: Any) -> Given | None:
    """Read an entry; None if it is not one that this version of the program can use."""
    match value:
        case {"vouch": bytes(raw), "revoked": bool(revoked)}:
            try:
                return Given(read_introduction(raw), revoked)
            except BadPapers:
                return None
    return None
