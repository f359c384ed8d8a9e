"""The tests, in the tree of the code that they test.

Hypothesis never counts the seconds of an example, because machines that test are often busy, and tries the same examples each
time, so that a change is not blamed for what it did not do. ``P2PSHIP_SLOW`` in the environment makes it try forty times as
many, other ones each time.
"""

import os

from hypothesis import settings

settings.register_profile("quick", deadline=None, derandomize=True)
settings.register_profile("slow", deadline=None, max_examples=4000)
settings.load_profile("slow" if os.environ.get("P2PSHIP_SLOW") else "quick")
