"""Lets the tests of this room find `answered`, which builds examples and answers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
