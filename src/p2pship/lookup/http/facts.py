"""What happened with rendezvous servers."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.journal import Fact


@dataclass(frozen=True, slots=True)
class ServerTrouble(Fact):
    """A server does not have what is published there, or has it again."""

    server: str
    error: str
    "why, in words; empty when it has everything, after it had not"

    def __str__(self) -> str:
        if self.error:
            return f"a rendezvous server does not have what is published: {self.error}"
        return f"the rendezvous server {self.server} has what is published again"
