"""Which names may be registered where: one rule for phones on loopback, one for all others."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.sip.settings import ANY, EXISTING, LISTED, SIPNetworkSettings, SIPSettings


@dataclass(frozen=True, slots=True)
class Rule:
    """What one listener lets register."""

    register: str
    "``any``, ``existing`` or ``listed``"
    names: frozenset[str] = frozenset()
    "the canonical AORs that are listed"

    def refusal(self, aor: str, exists: bool) -> str | None:
        """Return why a phone may not register a name, in words for its user; None if it may."""
        if self.register == ANY:
            return None
        if self.register == LISTED and aor not in self.names:
            return f"{aor} is not among the names that may register here"
        return None if exists else f"{aor} is no identity of this node: p2pship identity create {aor}"


class Admission:
    """The rules of a node."""

    def __init__(self, local: Rule, elsewhere: Rule) -> None:
        self._local = local
        self._elsewhere = elsewhere

    @classmethod
    def of(cls, sip: SIPSettings, network: SIPNetworkSettings) -> Admission:
        """Return the rules that are configured."""
        local = Rule(sip.register, frozenset(sip.names))
        return cls(local, Rule(network.register, frozenset(network.names)) if network.listen else local)

    def refusal(self, aor: str, trusted: bool, exists: bool) -> str | None:
        """Return why a phone may not register a name; ``trusted`` says that it is on loopback, ``exists`` that the name has an identity."""
        return (self._local if trusted else self._elsewhere).refusal(aor, exists)


OPEN = Admission(Rule(ANY), Rule(EXISTING))
"Any name on loopback, and elsewhere those that have an identity."
