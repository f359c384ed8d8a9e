"""Network namespaces for tests: a machine's network of one's own, with interfaces that come and go, without being root.

A script runs as the only program of a fresh network (``unshare``), in which it may do everything that root may: make
interfaces, give them addresses, and make further networks, connected to its own, with :class:`Neighbour`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.trial.unittest import SkipTest

SCRIPT_TIME = 60.0
"Seconds until a script that does not end is killed, if nothing else is said: most of them take one."


class NamespaceScriptFailed(AssertionError):
    """The script in the namespace failed; the message is what it wrote."""


def require_namespaces() -> None:
    """Return if this machine can make network namespaces; else raises as :func:`cannot_run`."""
    probe = subprocess.run(["unshare", "-Urnm", "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        cannot_run(f"no network namespaces here: {probe.stderr.strip()}")


def cannot_run(reason: str) -> None:
    """End a test that cannot run on this machine.

    :raises SkipTest: but with ``CI=true`` in the environment a failure, so that nothing is thought tested that is not.
    """
    if os.environ.get("CI") == "true":
        raise NamespaceScriptFailed(reason)
    raise SkipTest(reason)


def run_in_namespace(
    reactor: Any, script: str | Path, *arguments: str, limit: float = SCRIPT_TIME
) -> Deferred[str]:
    """Run a Python file in a fresh network namespace; fires with what it printed.

    The same Python and ``PYTHONPATH`` as the caller's are used. ``lo`` is up. What it mounts is there for it alone. Fails with
    :class:`NamespaceScriptFailed` if the script does not end with 0, or not within ``limit`` seconds.
    """
    require_namespaces()
    return deferToThreadPool(reactor, reactor.getThreadPool(), run_alone, [str(script), *arguments], limit)


def run_alone(arguments: list[str], limit: float = SCRIPT_TIME) -> str:
    """Do the same without a reactor: ``arguments`` are Python's, a file first; returns what was printed.

    :raises NamespaceScriptFailed: if it fails.
    """
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = {**os.environ, "PYTHONPATH": path}
    inside = 'ip link set lo up && exec "$@"'
    command = ["unshare", "-Urnm", "sh", "-c", inside, "sh", sys.executable, *arguments]
    with tempfile.TemporaryFile("w+") as output:  # a pipe would be held open by what the script leaves behind
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        ended = _wait(process, limit)
        output.seek(0)
        written = output.read()
    if ended != 0:
        raise NamespaceScriptFailed(written or f"the script ended with {ended}")
    return written


def _wait(process: subprocess.Popen[bytes], limit: float) -> int:
    """Return how a script ended, -9 when it had to be killed; nothing that it began is left running."""
    timer = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    os.waitid(
        os.P_PID, process.pid, os.WEXITED | os.WNOWAIT
    )  # not reaped, so that its group is still its own
    timer.cancel()
    os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def ip(command: str) -> None:
    """Run ``ip COMMAND``, in a script."""
    subprocess.run(["ip", *command.split()], check=True)


class Neighbour:
    """Another network namespace beside a script's own, with a program in it.

    :param command: the program and its arguments; it begins at once, and is ended with :meth:`close`.
    """

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            ["unshare", "-n", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._wait_for_network()

    def _wait_for_network(self) -> None:
        """Wait until the program is in its own network: what it was given before would stay in the script's."""
        own, give_up = os.readlink("/proc/self/ns/net"), time.monotonic() + SCRIPT_TIME
        while os.readlink(f"/proc/{self.process.pid}/ns/net") == own:
            if time.monotonic() > give_up:
                raise NamespaceScriptFailed("the neighbour has no network of its own")
            time.sleep(0.01)

    def wait_for(self, line: str) -> None:
        """Wait until the program has printed a line.

        :raises NamespaceScriptFailed: if it ends before.
        """
        assert self.process.stdout is not None
        for printed in self.process.stdout:
            if printed.rstrip("\n") == line:
                return
        raise NamespaceScriptFailed(f"the neighbour ended without having printed {line!r}")

    def take(self, interface: str) -> None:
        """Move an interface from the script's network into this one."""
        ip(f"link set {interface} netns {self.process.pid}")

    def ip(self, command: str) -> None:
        """Run ``ip COMMAND`` in this network."""
        subprocess.run(["nsenter", "-n", "-t", str(self.process.pid), "ip", *command.split()], check=True)

    def close(self) -> None:
        """End the program."""
        self.process.kill()
        self.process.communicate()
