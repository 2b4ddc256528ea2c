"""Progress as the doors know it: they may not enter `jobs` themselves."""

from whytune.jobs.progress import CurveProgress, Pace, Progress, Silent

__all__ = ["CurveProgress", "Pace", "Progress", "Silent"]
