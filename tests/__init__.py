"""The tests, in the tree of the code that they test.

Hypothesis never counts the seconds of an example, because machines that test are often busy. ``P2PSHIP_SLOW`` in the
environment makes it try forty times as many.
"""

import os

from hypothesis import settings

settings.register_profile("quick", deadline=None)
settings.register_profile("slow", deadline=None, max_examples=4000)
settings.load_profile("slow" if os.environ.get("P2PSHIP_SLOW") else "quick")
