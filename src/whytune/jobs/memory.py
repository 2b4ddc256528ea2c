"""How much memory a new process may take on this machine, by asking the system; a GPU's own memory is not counted here.

Example: `free_memory()` is what is available, or what the control group still allows where that is less.
"""

from __future__ import annotations


def free_memory() -> int:
    """Bytes that a new allocation may take: the machine's, or the control group's where that is less."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        with open("/sys/fs/cgroup/memory.max") as limit, open("/sys/fs/cgroup/memory.current") as used:
            most = limit.read().strip()
            if most.isdigit():
                free = min(free, max(0, int(most) - int(used.read())))
    except OSError:
        return free
    return free
