"""`whytune review`: people judge rows and answers, one key a verdict; `whytune review PROJECT` asks you the next question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from whytune.cli.options import Json, Name, project
from whytune.cli.screen import say, say_json, say_next, table
from whytune.cli.terminal import QUIT, Keys, visible
from whytune.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from whytune.records.review import HumanEvaluation, RowReview
    from whytune.workspace.reviewing import Question, Round, RoundProgress

UNDO, SKIP, EDIT, HELP = "u", "s", "e", "?"
Which = Annotated[str, typer.Option("--round", help="Number of the round; the oldest open one if left out.")]


class Group(TyperGroup):
    """`whytune review PROJECT` is `whytune review take PROJECT`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `take` in where no command is named."""
        named = args and (args[0] in self.commands or args[0] in ("-h", "--help"))
        return super().parse_args(ctx, args if named else ["take", *args])


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    room = typer.Typer(cls=Group, help="People judge rows and answers; `whytune review PROJECT` asks you the next question.")
    room.command("open")(open_round)
    for command in (take, status, adjudicate, close, preferences, propose):
        room.command()(command)
    app.add_typer(room, name="review")


def open_round(
    name: Name = "",
    rows: Annotated[bool, typer.Option("--rows", help="Ask whether rows of train and dev are right; gives an error rate with its bound.")] = False,
    labels: Annotated[bool, typer.Option("--labels", help="Ask for the label of rows, without showing the one on file.")] = False,
    pairs: Annotated[tuple[str, str], typer.Option("--pairs", metavar="ARM ARM", help="Ask which of two arms' answers is better, blind.")] = ("", ""),
    rubric: Annotated[str, typer.Option("--rubric", metavar="ARM", help="Ask for a score from 1 to 5 of this arm's answers and the simplest arm's, blind.")] = "",
    sample: Annotated[int, typer.Option(help="Items drawn at random.")] = 300,
    overlap: Annotated[float, typer.Option(help="Share of items that two people judge.")] = 0.25,
    overlap_max: Annotated[int, typer.Option(help="Most people asked about a row on which they differ.")] = 3,
    votes: Annotated[int, typer.Option(help="Pairs: decisive votes planned; 85 prove 65 to 35, 194 prove 60 to 40; 0 asks about every item.")] = 85,
    gold: Annotated[float, typer.Option(help="Share of planted items whose verdict is known.")] = 0.05,
    repeats: Annotated[float, typer.Option(help="Share of items that a person is shown again.")] = 0.05,
    guideline: Annotated[Path | None, typer.Option(help="A text file that says how to judge; a short one comes with whytune.")] = None,
    split: Annotated[str, typer.Option(help="Pairs, rubric: dev or test; dev if both arms were measured there.")] = "",
    seed: Annotated[int, typer.Option(help="Decides the sample and the order of answers.")] = 17,
    as_json: Json = False,
) -> None:
    """Open a round: rows, labels, pairs of answers or a rubric. People who made what is judged are not asked."""
    from whytune.workspace import asking

    asked: dict[str, tuple[str, ...]] = {}
    asked |= {"rows": ()} if rows else {}
    asked |= {"labels": ()} if labels else {}
    asked |= {"pairs": pairs} if any(pairs) else {}
    asked |= {"rubric": (rubric,)} if rubric else {}
    if len(asked) != 1:
        raise UsageError("A round asks about one thing", where=", ".join(asked) or "nothing is named", next="choose one of --rows, --labels, --pairs ARM ARM, --rubric ARM")
    purpose, arms = next(iter(asked.items()))
    plan = asking.Plan(sample, overlap, overlap_max, votes, gold, repeats, _text(guideline), split, seed)
    chosen = project(name)
    queue = asking.open_round(chosen, asking.purpose_named(purpose), arms, plan, say=None if as_json else say)
    if as_json:
        say_json("queue", {"id": queue.id, "queue": queue})
        return
    about = f"answers of {' and '.join(queue.arms)} on {queue.split[0]}" if queue.arms else f"rows of train and dev, drawn from {queue.population:,}"
    say(f"round {queue.number} ({queue.purpose}) is open: {about}")
    if queue.planned:
        say(f"it ends at {queue.planned} decisive votes; {queue.identical:,} items are left out because both arms said the same")
    if queue.excluded:
        say(f"not asked, because they made part of it: {', '.join(queue.excluded)}")
    say_next(f"whytune review {chosen.name}")


def take(name: Name = "", which: Which = "") -> None:
    """Judge, one key a verdict: u takes the last one back, s skips, e corrects, ? shows the guideline, q ends."""
    from whytune.workspace import reviewing

    chosen = project(name)
    room, question = reviewing.next_question(chosen, which)
    given = 0
    while question:
        given, go_on = _ask(room, question, given)
        if not go_on:
            break
        room, question = reviewing.next_question(chosen, which)
    progress = room.progress()
    say(f"{given} opinions kept; round {progress.number}: {_how_far(progress)}" if question else f"nothing more for you ({given} opinions kept); round {progress.number}: {_how_far(progress)}")
    say_next(f"whytune review close {chosen.name}" if progress.may_close else f"whytune review status {chosen.name}")


def adjudicate(name: Name = "", which: Which = "") -> None:
    """Decide items on which others differ; your decision counts. Only for people who gave no opinion on them."""
    from whytune.workspace import reviewing

    chosen = project(name)
    room = reviewing.round_named(chosen, which, open_only=True)
    given = 0
    while question := room.take_dispute():
        given, go_on = _ask(room, question, given, settle=True)
        if not go_on:
            break
    say(f"{given} items decided; {len(room.disputes())} wait for somebody who has not judged them")
    say_next(f"whytune review status {chosen.name}")


def status(name: Name = "", as_json: Json = False) -> None:
    """Every round: how far it is, what is still asked for, what it proved. Never who is ahead."""
    from whytune.workspace import reviewing

    chosen = project(name)
    rooms = reviewing.rounds(chosen)
    found = [(room, room.progress(), room.closing) for room in rooms]
    if as_json:
        say_json("rounds", {"rounds": [{**vars(progress), "outcome": closing} for _, progress, closing in found]})
        return
    if not found:
        say("no round of review yet")
        say_next(f"whytune review open {chosen.name} --rows")
        return
    table(
        ("round", "asks", "items", "done", "opinions", "open", "yours", "differ", "outcome"),
        [
            (str(p.number), p.purpose, str(p.items), str(p.done), str(p.opinions), str(p.open), str(p.mine), str(p.disputed), _outcome(closing) if closing else "open")
            for _, p, closing in found
        ],
    )
    waiting = next((progress for _, progress, closing in found if not closing), None)
    if waiting is None:
        say_next(f"whytune review open {chosen.name} --rows")
    else:
        say_next(f"whytune review close {chosen.name}" if waiting.may_close else f"whytune review adjudicate {chosen.name}" if waiting.disputed and not waiting.open else f"whytune review {chosen.name}")


def close(
    name: Name = "",
    which: Which = "",
    early: Annotated[bool, typer.Option("--early", help="Close it as it is; the outcome says so.")] = False,
    as_json: Json = False,
) -> None:
    """Sum up a round and show the names. Exit code 3 where people prefer the simpler arm, 6 where nothing is proven."""
    from whytune.workspace import concluding, reviewing

    chosen = project(name)
    room = reviewing.round_named(chosen, which)
    made = concluding.close(room, early=early)
    if as_json:
        say_json("review", {"id": made.id, "round": room.queue.number, "kind": made.KIND, "outcome": made})
    else:
        for line in _lines(made):
            say(line)
        say_next(f"whytune status {chosen.name}")
    conclusion = getattr(made, "conclusion", "")
    if conclusion in ("worse", "not_proven", "fix_the_rubric"):
        raise typer.Exit(3 if conclusion == "worse" else 6)


def preferences(name: Name = "", out: Annotated[Path, typer.Option("-o", "--out", help="File to write, JSON lines.")] = Path("preferences.jsonl"), which: Which = "") -> None:
    """Write votes of a closed round of pairs as chosen and rejected answers; never of the test set."""
    from whytune.workspace import concluding, reviewing

    chosen = project(name)
    count = concluding.write_preferences(reviewing.round_named(chosen, which), out)
    say(f"wrote {count:,} preferences to {out}")


def propose(name: Name = "", which: Which = "") -> None:
    """Propose the corrected rows of a closed round; somebody else accepts them into the next version."""
    from whytune.workspace import concluding, reviewing

    chosen = project(name)
    proposal = concluding.propose_edits(reviewing.round_named(chosen, which))
    say(f"proposed {proposal.count:,} corrected rows ({proposal.id[:19]})")
    say_next(f"whytune data accept {chosen.name} {proposal.id[:19]}")


def _ask(room: Round, question: Question, given: int, *, settle: bool = False) -> tuple[int, bool]:
    """Show it and read keys until it is answered. (opinions kept, whether to go on)."""
    import uuid

    _show(question)
    verdicts = {choice.key: choice.verdict for choice in question.choices}
    keys = Keys(lines=any(len(key) > 1 for key in verdicts))
    more = f"  {EDIT} correct it" if question.editable else ""
    options = "  ".join(f"{choice.key} {visible(choice.title)}" for choice in question.choices)
    while True:
        key = keys.read(f"{options}{more}  {SKIP} skip  {UNDO} undo  {HELP} guideline  {QUIT} quit > ")
        if key == QUIT:
            room.release(question.token)
            return given, False
        if key == HELP:
            say(f"\nguideline {question.guideline_version}\n{visible(question.guideline)}\n")
        elif key == UNDO:
            before = room.undo(str(uuid.uuid4()), settle=settle)
            say("the last opinion is taken back" if before else "there is nothing to take back")
            if before:
                return max(0, given - 1), True
        elif key == SKIP:
            room.skip(question.token)
            return given, True
        elif key in verdicts or (key == EDIT and question.editable):
            edits = _edits(keys, question) if key == EDIT else []
            if key == EDIT and not edits:
                say("nothing was corrected")
                continue
            try:
                room.answer(question.token, str(uuid.uuid4()), "bad" if edits else verdicts[key], edits=edits)
            except RefusedError as error:
                say(str(error))  # the lease ran out while they thought: others have judged it, so go on with the next
                return given, True
            return given + 1, True
        else:
            say(f"there is no key {visible(key)!r}")


def _show(question: Question) -> None:
    say()
    say(f"--- round {question.number}, you have judged {question.done} (of {question.total} items) ---")
    say(visible(question.input))
    for title, text in question.texts:
        say(f"\n[{title}]\n{visible(text) or '(no answer)'}")
    say(f"\n{visible(question.question)}")


def _edits(keys: Keys, question: Question) -> list[tuple[str, str]]:
    """What the person wrote in place of a field; fields left empty stay as they are."""
    written = [(field, keys.line(f"new {field} (empty: as it is) > ")) for field in question.editable]
    return [(field, value) for field, value in written if value]


def _how_far(progress: RoundProgress) -> str:
    if progress.planned:
        return f"{progress.counted} of {progress.planned} decisive votes, {progress.done} of {progress.items} items done"
    return f"{progress.done} of {progress.items} items done, {progress.open} opinions still asked for"


def _outcome(made: RowReview | HumanEvaluation) -> str:
    from whytune.records import wording
    from whytune.records.review import RowReview

    if isinstance(made, RowReview):
        return f"{made.bad} of {made.rated} wrong, at most {wording.high(made.error_rate.high)}"
    return f"{made.conclusion.replace('_', ' ')}: {' / '.join(made.arms)}"


def _lines(made: RowReview | HumanEvaluation) -> list[str]:
    from whytune.records import wording
    from whytune.records.review import RowReview

    if isinstance(made, RowReview):
        lines = [
            f"{made.bad:,} of {made.rated:,} rows are wrong: {wording.figure(made.error_rate.value)}, surely less than {wording.high(made.error_rate.high)}",
            f"judged by {', '.join(made.reviewers)}; {made.double_rated:,} rows by two people or more, {made.adjudicated:,} decided, {made.unsettled:,} unsettled, {made.skipped:,} skipped",
        ]
        lines += [f"rows that a check warned about: {made.warned_bad:,} of {made.warned_rated:,} are wrong"] if made.warned_rated else []
    else:
        first, second = made.candidates
        lines = [made.sentence, f"  {made.arms[0]}: {first[:20]}", f"  {made.arms[1]}: {second[:20]}"]
        lines += [f"{made.votes:,} votes by {', '.join(made.reviewers)}: {made.wins:,} for {made.arms[1]}, {made.decisive - made.wins:,} for {made.arms[0]}, {made.ties:,} ties, {made.both_bad:,} both unusable, {made.identical:,} items alike"]
        lines += [_said(score, score.name) for score in made.scores]
        lines += [_said(made.position_bias, made.position_bias.name)] if made.position_bias else []
    extra = [measure for measure in (*made.agreement, made.repeats_consistent, made.gold_right) if measure]
    lines += [_said(measure, measure.name) for measure in extra]
    return [*lines, *(["solo: nobody else was asked"] if made.solo else []), *(["closed early"] if made.early else [])]


def _said(measure: Any, name: str) -> str:
    return f"  {name}: {measure.value:.2f} ({measure.low:.2f} to {measure.high:.2f}, n = {measure.n:,})"


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The guideline cannot be read: {error}", where=str(path), next="name a text file in UTF-8") from None
