"""Property tests ask what is true, not how quickly a busy machine answers."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("simpul", deadline=None)
settings.load_profile("simpul")
