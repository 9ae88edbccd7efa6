"""How hard hypothesis looks: profile "ci", the same examples in every run, unless PARSIMO_HYPOTHESIS names another."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=40)
settings.register_profile("long", derandomize=False, deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("PARSIMO_HYPOTHESIS", "ci"))
