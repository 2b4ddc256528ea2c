"""The `whytune` command: wires the commands together and turns errors into words and exit codes.

Exit codes: 0 done, 1 failed, 2 usage, 3 the evidence says no, 4 not allowed, 5 not found, 6 not proven,
7 backing service unavailable, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import typer

from whytune.cli import (
    accept,
    alias,
    audit,
    cases,
    data,
    decision,
    erase,
    feedback,
    jobs,
    leaderboard,
    models,
    overview,
    people,
    projects,
    release,
    responsible,
    review,
    serve,
    system,
    web,
)
from whytune.errors import UsageError, WhytuneError

INTERRUPTED = 130
# typer brings its own copy of click: the class of all usage errors is reached through the one that it exports.
UsageProblem: Any = typer.BadParameter.__bases__[0]
app = typer.Typer(
    name="whytune",
    help="Should we fine-tune a model for this, or is a prompt or RAG enough? Measured on your own data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (projects, overview, jobs, data, decision, cases, leaderboard, models, responsible, review, accept, release, alias, audit, erase, people, web, serve, feedback, system):
    room.add_to(app)


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    if arguments is None:
        arguments = sys.argv[1:]
        if not any(name.startswith("_WHYTUNE") for name in os.environ):  # completion walks through everything
            _leave_unbuilt(arguments)
    try:
        _check_text(arguments)
        code = app(args=arguments, standalone_mode=False, prog_name="whytune")
        sys.stdout.flush()
        if code == INTERRUPTED:  # typer has caught the interrupt before us
            _say_interrupted()
    except WhytuneError as error:
        _tell(error, as_json="--json" in arguments)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _say_interrupted()
        code = INTERRUPTED
    except UsageProblem as error:
        error.show()
        code = 2
    except BrokenPipeError:
        # The reader of our output left (`whytune status | head`): nothing to tell it any more.
        sys.stderr.close()
        code = 0
    raise SystemExit(int(code or 0))


def _check_text(arguments: list[str]) -> None:
    """Raise UsageError where a word is no text in UTF-8: no record, and no whytune.toml, could hold it."""
    from whytune.text import whole

    broken = [word for word in arguments if not whole(word)]
    broken += [f"{name}={value}" for name, value in os.environ.items() if name.startswith("WHYTUNE_") and not whole(value)]
    if broken:
        raise UsageError("This cannot be read as text", problems=[f"{word!a}: not UTF-8" for word in broken], next="type it again in a terminal that sends UTF-8, and give a file of such a name another one")


def _leave_unbuilt(arguments: list[str]) -> None:
    """Groups that are not asked for are only listed, by name and help: to build all their commands takes a third of the start."""
    wanted = next((argument for argument in arguments if not argument.startswith("-")), "")
    for group in app.registered_groups:
        if group.name != wanted and group.typer_instance:
            group.typer_instance = typer.Typer(help=group.typer_instance.info.help)


def _say_interrupted() -> None:
    sys.stderr.write("\ninterrupted; what was done is kept\nnext: run the same command again to go on\n")


def _tell(error: WhytuneError, *, as_json: bool) -> None:
    if as_json:
        from whytune.cli.screen import say_json

        content: dict[str, Any] = {
            "code": error.code, "what": error.what, "where": error.where, "problems": list(error.problems), "next": error.next,
        }
        say_json("error", content)
    sys.stderr.write(f"error: {error}\nwhy:  whytune explain {error.code}\n")
