"""``python -m p2pship.cli``: the same as the console script ``p2pship``."""

import sys

from p2pship.cli.command import main

sys.exit(main())
