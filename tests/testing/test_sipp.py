"""Reading what SIPp counted."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.testing.programs import ProgramFailed
from p2pship.testing.sipp import Statistics, read_statistics

COLUMNS = (
    "StartTime;CurrentTime;TotalCallCreated;CurrentCall;SuccessfulCall(P);SuccessfulCall(C);FailedCall(P);FailedCall(C);"
    "FailedMaxUDPRetrans(P);FailedMaxUDPRetrans(C);FailedUnexpectedMessage(P);FailedUnexpectedMessage(C);"
    "OutOfCallMsgs(P);OutOfCallMsgs(C);DeadCallMsgs(P);DeadCallMsgs(C);Retransmissions(P);Retransmissions(C);"
    "ResponseTimering(C);ResponseTimeRepartitionring;ResponseTimeRepartitionring_<10;ResponseTimeRepartitionring_>=10;"
)
EARLIER = "a\tb\t1.5;a\tb\t2.5;5;5;0;0;0;0;0;0;0;0;0;0;0;0;0;0;00:00:00:000000;;0;0;"
LAST = "a\tb\t1.5;a\tb\t3.5;9;1;2;5;1;3;0;1;1;2;0;4;0;1;2;7;00:00:00:004000;;6;1;"


class StatisticsTests(SynchronousTestCase):
    """The table that SIPp writes each second."""

    def test_last_line(self) -> None:
        """The last line counts the whole run."""
        found = read_statistics("\n".join([COLUMNS, EARLIER, LAST]), 1, "an error")
        expected = Statistics(
            exit_code=1,
            calls=9,
            succeeded=5,
            failed=3,
            unfinished=1,
            retransmissions=7,
            unexpected=7,
            failures={"MaxUDPRetrans": 1, "UnexpectedMessage": 2},
            response_times={"ring": {"<10": 6, ">=10": 1}},
            errors="an error",
        )
        self.assertEqual(found, expected)

    def test_garbage(self) -> None:
        """What is not such a table is refused, an empty one too."""
        for table in ("", COLUMNS, "a;b\n1;2", f"{COLUMNS}\n1;2", f"{COLUMNS}\n{LAST.replace('9', 'nine')}"):
            self.assertRaises(ProgramFailed, read_statistics, table, 0, "")
