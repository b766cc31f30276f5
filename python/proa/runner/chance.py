"""Random state across a fork: as independent as that of new processes, and as fixed where the module fixes it."""

from __future__ import annotations

import random
import sys
from typing import Any, Optional, Tuple

_WORDS = 624


class State:
    """What the generators' state was before a module was imported."""

    def __init__(self) -> None:
        self._before = random.getstate()
        self._seeded: Optional[Tuple[Any, ...]] = None

    def imported(self) -> None:
        """Note what the import has left. To be called before the fork."""
        after = random.getstate()
        if not _reaches(self._before, after):
            self._seeded = after

    def renew(self) -> None:
        """Seed this process's generators, but for those that the import has seeded. To be called in the fork."""
        # Python itself seeds its own generator in every fork.
        if self._seeded is not None:
            random.setstate(self._seeded)
        numpy = sys.modules.get("numpy.random")
        if numpy is not None and not _is_seeded(numpy):
            numpy.seed()


def _reaches(before: Tuple[Any, ...], after: Tuple[Any, ...]) -> bool:
    """Say whether mere use of a generator gets it from one state to another: then nobody has seeded it."""
    walker = random.Random()
    walker.setstate(before)
    for _ in range(1000):
        if walker.getstate()[1][:_WORDS] == after[1][:_WORDS]:
            return True
        walker.getrandbits(32 * _WORDS)
    return False


def _is_seeded(numpy: Any) -> bool:
    """Say whether the module has seeded numpy's global generator: one that nobody seeded knows its entropy still."""
    try:
        return numpy.mtrand._rand._bit_generator._seed_seq is None
    except AttributeError:
        return False
