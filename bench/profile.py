"""``python -m bench.profile calls|packets``: where a node's time goes, by function and by file, as cProfile counts it.

cProfile makes every call of a function dearer, so the shares count, not the seconds: small functions seem worse than they are.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from bench import nodes
from bench.load import Phones
from bench.talk import Talk
from bench.voice import speak

RATE, SECONDS = 40, 8.0
"Calls a second, and for how long: a profiled node takes three times as long for each."

LINES = 100
"Calls up for voice."

SHOWN = 40
"Functions and files."


def calls(node: nodes.RunningNode) -> None:
    """Make calls."""
    with tempfile.TemporaryDirectory() as folder:
        Phones(Path(folder), node.proxy, node.proxy).call(RATE, SECONDS)


def packets(node: nodes.RunningNode) -> None:
    """Set up calls, and let everybody speak."""
    talk = Talk(node.proxy, node.proxy)
    for _ in range(LINES):
        talk.call()
    speak(talk.voices, SECONDS)


WHAT: dict[str, Callable[[nodes.RunningNode], None]] = {"calls": calls, "packets": packets}


def main() -> None:
    """Run a node under the profiler, and print what it found."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "profile"
        with nodes.nodes(1, through=[sys.executable, "-m", "bench.profile", str(output)]) as (node,):
            WHAT[sys.argv[1]](node)
        show(pstats.Stats(str(output)))


def show(found: pstats.Stats) -> None:
    """Print the functions, and the files with what the built-in functions that they call took."""
    found.sort_stats("tottime").print_stats(SHOWN)
    seconds: Counter[str] = Counter()
    rows: dict[Any, Any] = cast(Any, found).stats
    for (file, _line, name), (_, _, own, _, callers) in rows.items():
        if file != "~":
            seconds[file] += own
        elif "poll" not in name:  # that is waiting
            for (caller, _, _), row in callers.items():
                seconds[caller] += row[2]
    total = sum(seconds.values())
    for file, each in seconds.most_common(SHOWN):
        print(f"{100 * each / total:5.1f} % {'/'.join(Path(file).parts[-2:])}")


def node_under_profiler(output: str, arguments: list[str]) -> None:
    """Be a node, and write the profile when it stops."""
    from twisted.application.twist._twist import Twist
    from twisted.internet import reactor

    profile = cProfile.Profile()

    def write() -> None:
        profile.disable()
        profile.dump_stats(output)

    cast(Any, reactor).addSystemEventTrigger("after", "shutdown", write)
    cast(Any, reactor).callWhenRunning(profile.enable)
    Twist.main(["twist", *arguments])


if __name__ == "__main__":
    if sys.argv[1] in WHAT:
        main()
    else:
        node_under_profiler(sys.argv[1], sys.argv[2:])
