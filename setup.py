"""Puts the documentation inside the package when a wheel is built; everything else stands in pyproject.toml."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
SHOWN = (".md", ".png", ".json")


class WithDocs(build_py):
    """Copies `docs/` to `whytune/docs`, where `whytune web` reads it. A checkout installed in place is read where it lies."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        if self.editable_mode:
            return
        for path in sorted((HERE / "docs").rglob("*")):
            if path.suffix in SHOWN:
                there = Path(self.build_lib) / "whytune" / path.relative_to(HERE)
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, there)


setup(cmdclass={"build_py": WithDocs})
