"""Progress as the doors know it: they may not enter `jobs` themselves."""

from whytune.jobs.progress import Pace, Progress, Silent

__all__ = ["Pace", "Progress", "Silent"]
