"""`python -m whytune` and the `whytune` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from whytune.cli.app import run

    run()


if __name__ == "__main__":
    main()
