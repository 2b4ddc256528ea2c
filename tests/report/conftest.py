"""Lets the tests of this room find `sample_decision`, which builds tables and decisions for several rooms."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
