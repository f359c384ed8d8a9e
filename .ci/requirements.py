"""Print what setup.cfg requires, one requirement a line, with the extras named as arguments."""

import configparser
import sys
from pathlib import Path


def requirements(setup: configparser.ConfigParser, extras: list[str]) -> str:
    """Return the requirements of the package and of these extras."""
    lists = [setup["options"]["install_requires"]]
    lists += [setup["options.extras_require"][extra] for extra in extras]
    return "\n".join(lines.strip() for lines in lists)


if __name__ == "__main__":
    parser = configparser.ConfigParser()
    parser.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf-8")
    print(requirements(parser, sys.argv[1:]))
