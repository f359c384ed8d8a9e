"""How soon a base exchange that we begin sends again what may be lost, and how long it goes on (RFC 7401 §6.6, §6.8)."""

from __future__ import annotations

from typing import NamedTuple

LONGEST = 10.0
"Seconds for the whole exchange, or until there is an R1."


class Timing(NamedTuple):
    """Those of one exchange."""

    first_timeout: float
    "seconds until a packet is sent again; two fifths more each time"
    longest: float
    "seconds for the whole exchange, once there is an R1"
    r1_times: float = 0.0
    "nothing more is sent again before so many times as long as the R1 took: the timer should be longer than all that may take (§6.8, step 18)"

    @property
    def may_be_slow(self) -> bool:
        """Whether the other side may take longer than :attr:`first_timeout`, and say something else to each I1."""
        return self.r1_times > 0


NODES = Timing(0.25, LONGEST)
"With a node: what is lost should not be felt in a call's setup."

STRANGERS = Timing(2.0, 16.0, 2.0)
"""With other programs: some take half a second for an R1 or an I2, on small machines seconds, and may take an I2 that has come twice as two, of
which only the later holds (§6.9, step 20)."""
