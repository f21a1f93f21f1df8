"""Where audits that tests ask for are kept: set by the plugin for pytest. Imports nothing that takes time."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

_LONGEST = 100


class KeptForTests:
    """One folder for each audit of each test, the same whenever the test is run."""

    def __init__(self) -> None:
        self.root: Path | None = None
        self._asked: Counter[str] = Counter()

    def begin(self, test: str) -> None:
        """A test that is run again asks for its own folders again."""
        self._asked.pop(test, None)

    def next(self, what: str) -> Path | None:
        """None outside of a test, or where no folder is kept."""
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
        if self.root is None or not test:
            return None
        number = self._asked[test]
        self._asked[test] += 1
        name = re.sub(r"[^\w.-]+", "-", test)[-_LONGEST:]
        return self.root / name / f"{number}-{what}"


KEPT = KeptForTests()
