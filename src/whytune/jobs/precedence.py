"""Work that takes hours gives way to people who wait for a page: it gets the processor time that nobody else wants.

Alone on the machine it is as fast as before. It knows nothing of what is worked on.

    give_way()      # once, at the beginning of the process that works
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

GENTLE = 10
"""As `nice` itself: where both want all of it, the work gets about a tenth of what the pages get."""
AUTOGROUP = Path("/proc/self/autogroup")
"""Where Linux shares the processor between sessions first, and each job is a session of its own."""


def give_way() -> None:
    """Let others go first from now on, processes started from here included."""
    os.nice(GENTLE)
    with suppress(OSError):  # another kernel, or one that does not let us: then the line before is all there is
        AUTOGROUP.write_text(str(GENTLE), "utf-8")
