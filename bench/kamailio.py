"""Kamailio, a SIP proxy in C, as a registrar and a proxy that stays in the dialogs; it knows nothing of media."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.nodes import HOST, Served, program, wait_for
from p2pship.address import HostPort
from p2pship.testing.programs import free_ports, is_listening

CONFIGURATION = Path(__file__).with_name("kamailio.cfg")

SHARED, PRIVATE = "1024", "16"
"Megabytes of memory for all its processes, and for each: transactions of half a minute must fit."


def available() -> bool:
    """Tell whether it is installed."""
    return shutil.which("kamailio") is not None


@contextmanager
def kamailio() -> Iterator[tuple[Served, HostPort]]:
    """Run it meanwhile; gives it and where phones register."""
    port = free_ports(2)
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "kamailio.cfg"
        configuration.write_text(CONFIGURATION.read_text().replace("PORT", str(port)))
        command = ["kamailio", "-f", str(configuration), "-m", SHARED, "-M", PRIVATE, "-DD", "-E"]
        files = ["-w", folder, "-Y", folder, "-P", f"{folder}/pid"]
        with program([*command, *files]) as process:
            wait_for(lambda: is_listening("udp", port), "Kamailio does not listen")
            yield Served(process), HostPort(HOST, port)
