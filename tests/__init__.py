"""The tests, in the tree of the code that they test.

Hypothesis never counts the seconds of an example, because machines that test are often busy, and tries the same examples each
time, so that a change is not blamed for what it did not do. The long form (:mod:`tests.scale`) tries up to forty times as many,
which are others with each seed. Nothing here asks the DNS of the machine (:mod:`tests.noquestions`).
"""

from hypothesis import core, settings

from tests.noquestions import forbid_questions
from tests.scale import SCALE, SEED, scaled

SHORT, LONG = 100, 4000
"examples of each test"

settings.register_profile("short", deadline=None, derandomize=True, max_examples=SHORT)
settings.register_profile("long", deadline=None, max_examples=scaled(SHORT, LONG), print_blob=True)
settings.load_profile("long" if SCALE else "short")
if SCALE:
    core.global_force_seed = SEED  # type: ignore[assignment]
forbid_questions()
