"""The rules of screening, in their order; each decides about what is its business, and leaves the rest to the next."""

from __future__ import annotations

from zope.interface import implementer

from p2pship.identity.naming import has_unseen_character, is_beyond_ascii
from p2pship.identity.verdict import Acquaintance, NameGrade
from p2pship.interfaces import IScreenRule
from p2pship.trust.blocks import Blocks
from p2pship.trust.screensettings import ScreenSettings
from p2pship.trust.wish import Asked, Decision, Wish

_GRADES = {
    "any": frozenset(NameGrade),
    "known": frozenset({NameGrade.KNOWN, NameGrade.VERIFIED}),
    "verified": frozenset({NameGrade.VERIFIED}),
}
_WHO = {
    Acquaintance.CONTACT: "contact",
    Acquaintance.INTRODUCED: "introduced",
    Acquaintance.STRANGER: "stranger",
}


@implementer(IScreenRule)
class OwnDevices:
    """One's own devices may do everything."""

    name = "own device"

    def screen(self, asked: Asked) -> Decision | None:
        """Allow our own devices."""
        if asked.verdict.acquaintance is not Acquaintance.OWN:
            return None
        return Decision(True, self.name, "it is one of your own devices")


@implementer(IScreenRule)
class Spelling:
    """Names that are made to be misread are refused."""

    name = "spelling"

    def __init__(self, settings: ScreenSettings) -> None:
        self._international = settings.international_names

    def screen(self, asked: Asked) -> Decision | None:
        """Refuse names with what cannot be seen, and other than ASCII characters unless they are enabled."""
        if has_unseen_character(asked.aor):
            return Decision(False, self.name, "its name has a character that cannot be seen")
        if not self._international and is_beyond_ascii(asked.aor):
            why = "its name has other than ASCII characters, and international_names is not set"
            return Decision(False, self.name, why)
        return None


@implementer(IScreenRule)
class BlockList:
    """Who is blocked is refused, however true the name is."""

    name = "block list"

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    def screen(self, asked: Asked) -> Decision | None:
        """Refuse what matches the block list."""
        pattern = self._blocks.blocked(asked.own, asked.aor)
        return Decision(False, self.name, f"you have blocked {pattern}") if pattern else None


@implementer(IScreenRule)
class ChangedKeys:
    """Who comes with another key than is known, or than the name's domain names, is not taken for that person."""

    name = "changed key"

    def screen(self, asked: Asked) -> Decision | None:
        """Refuse a name whose key is another than the one pinned."""
        if asked.verdict.name is not NameGrade.CHANGED:
            return None
        why = "; ".join(asked.verdict.reasons) or "the key is another than you know"
        return Decision(False, self.name, why)


@implementer(IScreenRule)
class AllowList:
    """Who is on the allow list may do everything, as far as the name is proven: anybody can claim a name."""

    name = "allow list"

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    def screen(self, asked: Asked) -> Decision | None:
        """Allow a proven name that matches the allow list."""
        pattern = self._blocks.allowed(asked.own, asked.aor) if asked.verdict.proven else ""
        return Decision(True, self.name, f"you have allowed {pattern}") if pattern else None


@implementer(IScreenRule)
class Strangers:
    """What ``strangers`` takes from people whom nobody here knows."""

    name = "strangers"

    def __init__(self, settings: ScreenSettings) -> None:
        self._strangers = settings.strangers

    def screen(self, asked: Asked) -> Decision | None:
        """Refuse strangers what the option does not give them."""
        if asked.verdict.acquaintance is not Acquaintance.STRANGER or self._strangers == "allow":
            return None
        if self._strangers == "messages" and asked.wish is Wish.MESSAGE:
            return None
        return Decision(False, self.name, f'strangers = "{self._strangers}"')


@implementer(IScreenRule)
class NameGrades:
    """How true the name of somebody must be who is no contact."""

    name = "name grade"

    def __init__(self, settings: ScreenSettings) -> None:
        self._wanted = settings.name_grade

    def screen(self, asked: Asked) -> Decision | None:
        """Refuse a name that is less true than wanted."""
        verdict = asked.verdict
        if verdict.acquaintance is Acquaintance.CONTACT or verdict.name in _GRADES[self._wanted]:
            return None
        return Decision(
            False, self.name, f'the name is {verdict.name.value}, and name_grade = "{self._wanted}"'
        )


@implementer(IScreenRule)
class Acquaintances:
    """Who may do what, by what they are to the user. It decides about everything that is left."""

    name = "acquaintance"

    def __init__(self, settings: ScreenSettings) -> None:
        self._who = {wish: frozenset(getattr(settings, wish.value)) for wish in Wish}

    def screen(self, asked: Asked) -> Decision:
        """Allow what the option of the wish allows, and nothing else."""
        who = _WHO.get(asked.verdict.acquaintance, "")
        option = asked.wish.value
        if who in self._who[asked.wish]:
            return Decision(True, self.name, f'{option} has "{who}"')
        return Decision(False, self.name, f'{option} does not have "{who}"')
