"""`whytune release`: make releases, look at them, verify, export, find them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whytune.cli.options import Json, Name, project, workspace
from whytune.cli.screen import Screen, say, say_json, say_next, table

if TYPE_CHECKING:
    from whytune.workspace.registering import Listed

Which = Annotated[str, typer.Argument(help="PROJECT/NUMBER, an alias, or the beginning of its id.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="File to write; the terminal if left out.")]
Reason = Annotated[str, typer.Option(help="Why; kept.")]


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    room = typer.Typer(help="Releases: make, look at, verify, export, find.", no_args_is_help=True)
    for command in (make, show, verify, card, sheet, bom, retire, export, mirror, search):
        room.command()(command)
    room.command("list")(list_)
    app.add_typer(room, name="release")


def make(name: Name = "", as_json: Json = False) -> None:
    """Release what was accepted: a signed manifest of every digest, with card, datasheet and bill of materials."""
    from whytune.workspace import registering

    chosen = project(name)
    screen = Screen(quiet=as_json)
    made = registering.make(chosen, screen)
    screen.close()
    if as_json:
        say_json("release", {"id": made.id, "release": made})
        return
    say(f"released {made.project}/{made.number} ({made.arm}), signed with key {made.public_key[:16]}" + ("; not independently approved" if made.solo else ""))
    say(f"id {made.id}")
    say_next(f"whytune alias set champion {made.project}/{made.number}")


def show(release: Which, as_json: Json = False) -> None:
    """What a release binds, where it stands, and who signed for it."""
    from whytune.records.release import Approval
    from whytune.workspace import registering, releasing

    room = workspace()
    found = releasing.named(room, release)
    listed = next(each for each in registering.listed(room, found.project) if each.release.id == found.id)
    signed = [room.store.get(Approval, each) for each in found.manifest.approvals]
    if as_json:
        say_json("release", {"id": found.id, "state": listed.state, "aliases": listed.aliases, "release": found, "signed": signed})
        return
    manifest = found.manifest
    say(f"{found.project}/{found.number}: {manifest.arm} on {manifest.base.name}, {listed.state}" + (f" as {', '.join(listed.aliases)}" if listed.aliases else ""))
    say(f"approved: {'not independently: one person alone signed' if found.solo else 'independently'}")
    for approval in signed:
        say(f"  {approval.role}: {approval.person}: {approval.reason}")
    bound = {
        "release": found.id, "candidate": manifest.candidate, "base": manifest.base.digest, "tokenizer": manifest.base.tokenizer, "template": manifest.base.template,
        "adapter": manifest.adapter.digest if manifest.adapter else "", "index": manifest.index.content if manifest.index else "", "prompt": manifest.prompt,
        "dataset": manifest.dataset, "policy": manifest.policy, "acceptance": manifest.acceptance, "ledger head": manifest.ledger_head, **manifest.files,
        "key": found.public_key,
    }  # fmt: skip
    table(("what", "digest"), [(name, digest) for name, digest in bound.items() if digest])
    say(f"engine: {manifest.engine.name} {manifest.engine.dtype}, " + ", ".join(f"{name} {version}" for name, version in manifest.engine.versions.items()))
    say_next(f"whytune release verify {found.project}/{found.number}")


def list_(
    name: Annotated[str, typer.Argument(help="Only this project's; all if left out.")] = "",
    as_json: Json = False,
) -> None:
    """Every release, newest first."""
    from whytune.workspace import registering

    room = workspace()
    _tell_listed(registering.listed(room, room.project(name).key if name else None), as_json)


def search(
    text: Annotated[list[str], typer.Argument(help="Words that must all stand in its name, purpose, task, base model, licence or aliases.")],
    licence: Annotated[str, typer.Option(help="Only with this licence of the base model.")] = "",
    task: Annotated[str, typer.Option(help="Only of this task.")] = "",
    as_json: Json = False,
) -> None:
    """Find releases of the whole organisation."""
    from whytune.workspace import registering

    _tell_listed(registering.search(workspace(), " ".join(text), licence=licence, task=task), as_json)


def _tell_listed(found: list[Listed], as_json: bool) -> None:
    if as_json:
        say_json("releases", {"releases": [{"id": each.release.id, "state": each.state, "aliases": each.aliases, "release": each.release} for each in found]})
        return
    if not found:
        say("no release")
    else:
        table(
            ("release", "state", "alias", "approach", "base", "licence", "made", "approved"),
            [
                (
                    f"{each.release.project}/{each.release.number}", each.state, ", ".join(each.aliases), each.release.arm, each.release.manifest.base.name,
                    each.release.manifest.base.licence or "?", each.release.manifest.made[:10], "alone" if each.release.solo else "independently",
                )
                for each in found
            ],
        )  # fmt: skip
    say_next(f"whytune release show {found[0].release.project}/{found[0].release.number}" if found else "whytune release make PROJECT")


def verify(
    release: Annotated[str, typer.Argument(help="PROJECT/NUMBER, an alias, the beginning of its id, or an exported folder.")],
    key: Annotated[str, typer.Option(help="The public key that a folder should be signed with, known from elsewhere.")] = "",
    as_json: Json = False,
) -> None:
    """Compute every digest again and check the signature; of an exported folder without a workspace."""
    from whytune.errors import TamperedError
    from whytune.workspace import registering, releasing

    folder = Path(release)
    elsewhere: tuple[str, ...] = ()
    if folder.is_dir() and (folder / "release.json").exists():
        looked = registering.verify_folder(folder, key)
        name, problems, elsewhere, signer = str(folder), list(looked.problems), looked.elsewhere, looked.public_key
    else:
        room = workspace()
        found = releasing.named(room, release)
        name, problems, signer = f"{found.project}/{found.number}", registering.verify(room, found), found.public_key
        if key and key.lower() != signer:
            problems.append(f"it is signed with the key {signer}, not with {key}")
    if as_json:
        say_json("verified", {"release": name, "whole": not problems, "key": signer, "problems": problems, "elsewhere": elsewhere})
    if problems:
        raise TamperedError(f"{name} is not what was signed", problems=problems, next="do not serve it; restore what differs from a backup")
    if not as_json:
        say(f"{name}: every digest fits, signed with key {signer}" + ("" if key else "; compare the key with one you know"))
        for line in elsewhere:
            say(f"  not in this folder: {line}")


def card(release: Which, out: Out = None, as_json: Json = False) -> None:
    """The model card, as Markdown or JSON."""
    _document(release, "card.json" if as_json else "card.md", out)


def sheet(release: Which, out: Out = None, as_json: Json = False) -> None:
    """The datasheet of the rows, as Markdown."""
    if as_json and out is None:
        from whytune.workspace import registering, releasing

        room = workspace()
        found = releasing.named(room, release)
        say_json("datasheet", {"release": found.id, "markdown": registering.document(room, found, "datasheet.md")})
        return
    _document(release, "datasheet.md", out)


def bom(release: Which, out: Out = None) -> None:
    """The bill of materials, CycloneDX 1.7 JSON in any case."""
    _document(release, "bom.json", out)


def _document(release: str, name: str, out: Path | None) -> None:
    from whytune.workspace import registering, releasing
    from whytune.workspace.writing import write_whole

    room = workspace()
    text = registering.document(room, releasing.named(room, release), name)
    if out is None:
        say(text.rstrip())
    else:
        write_whole(out, text)
        say(f"wrote {out}")


def retire(release: Which, reason: Reason = "", as_json: Json = False) -> None:
    """Take a release out of use for good; refused while an alias stands for it."""
    from whytune.workspace import registering, releasing

    room = workspace()
    found = releasing.named(room, release)
    gone = registering.retire(room, found, reason)
    if as_json:
        say_json("retired", {"retirement": gone})
        return
    say(f"{found.project}/{found.number} is retired")
    say_next("whytune release list")


def export(
    release: Which,
    folder: Annotated[Path, typer.Argument(help="A folder that is not there yet.")],
    as_json: Json = False,
) -> None:
    """Write a release as a folder that others can check; base model and passages are named in it, not copied."""
    from whytune.workspace import registering, releasing

    room = workspace()
    found = releasing.named(room, release)
    written = registering.export(room, found, folder)
    if as_json:
        say_json("exported", {"folder": str(folder), "files": written, "key": found.public_key})
        return
    say(f"wrote {len(written)} files to {folder}")
    say_next(f"whytune release verify {folder} --key {found.public_key}")


def mirror(
    release: Which,
    mlflow: Annotated[str, typer.Option(help="Address of the MLflow server, such as http://127.0.0.1:5000.")],
    as_json: Json = False,
) -> None:
    """Copy a release into an MLflow model registry: version, tags, figures, files and aliases."""
    from whytune.workspace import mirroring, releasing

    room = workspace()
    done = mirroring.to_mlflow(room, releasing.named(room, release), mlflow)
    if as_json:
        say_json("mirrored", {"mirrored": done})
        return
    say(f"{done.name} version {done.version} at {mlflow}, {len(done.files)} files" + (f", aliases {', '.join(done.aliases)}" if done.aliases else ""))
    say_next("whytune release list")
