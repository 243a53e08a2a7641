"""`bundle`: the evidence for runs in one file, for people who do not have the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ...adapters.regular_file import read_regular
from ...ledger.files.elsewhere import open_recorded
from ...ledger.files.store import Unreachable
from ...ledger.fold import Run
from ...ledger.proof.encoding import BadText
from ...ledger.proof.signing import parse_signed
from ...ledger.run_files import NotReadable
from ...ledger.transfer.bundle import Contents, is_recorded, write_bundle
from ...ledger.transfer.evidence import Evidence, parse_opening, verify_bundle
from ...ledger.transfer.private import is_lines
from ...ledger.transfer.salted import Opening, is_samples, new_salts, open_lines, read_salts
from ...orchestrator.errors import UsageError
from ...projections.scores.selection import find
from ..context import Place, in_place, json_option, note, print_json
from ..group import Group
from ..notes import read_note
from ..publishing import find_rows
from .ledger.proofs import note_for, policy_in, policy_option, sign_option, verify_key_option

_MAX_SHOWN = 20
_MAX_OPENING_BYTES = 16 * 1024 * 1024


class _Bundle(Group):
    """`bundle NAME -o FILE` makes a bundle; `verify` and `open` are about one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["create", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Bundle)
def command() -> None:
    """Write the evidence for runs into one zip file, or verify it on any machine.

    `benchmarks bundle RUN -o evidence.zip` is short for `benchmarks bundle create RUN -o evidence.zip`.
    """


@command.command()
@click.argument("names", metavar="ROW|TABLE|RUN...", nargs=-1, required=True)
@click.option(
    "-o", "--output", required=True, metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write here."
)
@click.option("--benchmark", metavar="ID", help="Only runs of this benchmark.")
@click.option(
    "--redact", type=click.Choice(["samples"]), help="Leave out what can hold samples; of lines, write salted digests."
)
@click.option(
    "--secret",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the secret behind the salts here (default: FILE.secret).",
)
@click.option("--checkpoint", "note_file", metavar="FILE", help="Prove the events by this checkpoint.")
@sign_option
@in_place
def create(
    place: Place,
    names: tuple[str, ...],
    output: Path,
    benchmark: str | None,
    redact: str | None,
    secret: Path | None,
    note_file: str | None,
    sign: str | None,
) -> int:
    """Write the evidence for runs: their events with proofs, the files that they recorded, manifests and a verifier.

    A name is a run, a run group, a benchmark (all runs of it), an agent, a model or both, as for `compare`, or a
    published table: NAME, NAME@VERSION, or one row of it, NAME@VERSION#ROW, with all its attempts. The checkpoint is
    chosen as for `ledger prove`. With --redact samples, files that can hold samples are left out, and each line of a
    .jsonl file is replaced by a salted digest, which `bundle open` opens later. Events stay as they are.

    Exit code 1 if a recorded file is missing or was changed.
    """
    if note_file and sign:
        raise UsageError("--checkpoint names a checkpoint, and --sign makes a new one", "give one of them")
    store = place.store()
    runs, tables = _chosen(place, names, benchmark)
    text = _note_in(note_file) if note_file else note_for(store, store.head().seq, sign)
    salts = None
    if redact:
        secret = secret or _secret_of(output)
        salts = new_salts(secret)
        note(f"the secret behind the salts is in {secret}: keep it private, `bundle open` needs it")
    contents = write_bundle(
        store,
        output,
        runs,
        text,
        folder_of=place.workspace.folder_of,
        elsewhere=place.workspace.elsewhere,
        salts=salts,
        tables=tables,
    )
    return _show_written(output, contents)


def _note_in(file: str) -> str:
    text = read_note(file)
    try:
        parse_signed(text)
    except BadText as problem:
        raise UsageError(f"{file} is not a checkpoint: {problem}") from problem
    return text


def _secret_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.secret")


def _chosen(place: Place, names: tuple[str, ...], benchmark: str | None) -> tuple[list[Run], list[str]]:
    """The runs that the names mean, each once, in the order of the ledger, and the ids of published tables.

    Raises UsageError and SelectionError.
    """
    chosen: dict[str, Run] = {}
    tables: list[str] = []
    with place.catalogue() as catalogue:
        benchmarks = catalogue.benchmarks()
        for name in names:
            runs: Iterable[Run]
            if name in benchmarks:
                runs = place.runs(benchmark=name)
            elif (table := find_rows(place, name)) is not None:
                tables.append(table.table_id)
                runs = [run for run_id in table.run_ids if (run := catalogue.find_run(run_id)) is not None]
            else:
                runs = find(name, catalogue).every()
            chosen |= {run.run_id: run for run in runs if benchmark in (None, run.benchmark_id)}
    if not chosen:
        raise UsageError(f"{', '.join(names)} has no run" + (f" of the benchmark {benchmark}" if benchmark else ""))
    return sorted(chosen.values(), key=lambda run: run.first_seq), tables


def _show_written(output: Path, contents: Contents) -> int:
    number = sum(entry.state == "here" for entry in contents.files)
    print(f"{output}: {len(contents.runs)} runs, {len(contents.events)} events, {number} files")
    left = [entry for entry in contents.files if entry.state in ("missing", "changed")]
    for entry in left[:_MAX_SHOWN]:
        note(f"not in the bundle: {entry.path} of {entry.run_id}: {entry.reason}")
    if len(left) > _MAX_SHOWN:
        note(f"not in the bundle: {len(left) - _MAX_SHOWN} more files")
    return 1 if left else 0


@command.command()
@click.argument("bundle", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@policy_option
@verify_key_option
@click.option(
    "--sample", "samples", metavar="OPENED", multiple=True, help="Check a sample that was opened (repeatable)."
)
@json_option
def verify(
    bundle: Path, policy_file: str | None, verify_key: str | None, samples: tuple[str, ...], as_json: bool
) -> None:
    """Verify a bundle: every event is proven, no event is missing between others, each file is the recorded one.

    It needs neither the ledger nor a network. Exit code 3 if the file is damaged or not a bundle, 1 if it does not
    prove what it says. It cannot show that nothing happened to a run after its last event here.
    """
    policy = policy_in(policy_file, verify_key)
    evidence = verify_bundle(bundle, policy, [parse_opening(_opened(name)) for name in samples])
    if as_json:
        print_json(_as_json(evidence))
    else:
        _show(evidence)


def _opened(name: str) -> bytes:
    try:
        return read_regular(Path(name), most=_MAX_OPENING_BYTES)
    except OSError as problem:
        raise UsageError(f"the opened sample {name} cannot be read: {problem.strerror}") from problem


def _as_json(evidence: Evidence) -> dict[str, object]:
    accepted = evidence.accepted
    return {
        "origin": accepted.checkpoint.origin,
        "size": accepted.checkpoint.position,
        "root": accepted.checkpoint.hash,
        "signed_by": str(accepted.log.verifier) if accepted.log else None,
        "witnesses": accepted.witnesses,
        "events": evidence.events,
        "files": evidence.files,
        "notes": evidence.notes,
        "opened": evidence.opened,
        "runs": [
            {
                "run_id": run.run_id,
                "benchmark_id": run.benchmark_id,
                "agent": run.agent,
                "provider": run.provider,
                "model": run.model,
                "status": run.status,
                "score": run.score,
                "samples": run.samples,
                "retracted": run.retracted is not None,
            }
            for run in evidence.runs
        ],
    }


def _show(evidence: Evidence) -> None:
    for run in evidence.runs:
        score = "" if run.score is None else f", score {run.score:g}"
        state = "retracted" if run.retracted is not None else run.status
        print(f"{run.run_id}: {run.benchmark_id}, {run.agent} with {run.provider}:{run.model}: {state}{score}")
    for text in evidence.notes[:_MAX_SHOWN]:
        print(f"note: {text}")
    if len(evidence.notes) > _MAX_SHOWN:
        print(f"note: {len(evidence.notes) - _MAX_SHOWN} more notes")
    accepted = evidence.accepted
    seen = f"; seen by {', '.join(accepted.witnesses)}" if accepted.witnesses else ""
    opened = f", {evidence.opened} opened samples" if evidence.opened else ""
    print(
        f"proven: {evidence.events} events, {evidence.files} files{opened}, by the checkpoint of "
        f"{accepted.checkpoint.origin} with {accepted.checkpoint.position} events{seen}"
    )


@command.command("open")
@click.argument("run_id", metavar="RUN")
@click.argument("sample_id", metavar="SAMPLE")
@click.option(
    "--secret",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The secret behind the salts.",
)
@click.option("--file", "path", metavar="PATH", help="Open a line of this file of the run (default: its samples).")
@click.option("--number", default=1, type=click.IntRange(min=1), help="Of several lines with that id, open this one.")
@in_place
def open_(place: Place, run_id: str, sample_id: str, secret: Path, path: str | None, number: int) -> None:
    """Print one sample of RUN with its salt, for readers of a bundle that was made with --redact samples.

    `bundle verify --sample` proves that it is the sample of the bundle. The other samples stay private.
    """
    salts = read_salts(secret)
    [run] = _chosen(place, (f"run:{run_id}",), None)[0]
    wanted = [one for one in run.artifacts if (one.path == path if path else is_samples(one.path))]
    if path and not (wanted and is_lines(path)):
        raise UsageError(f"{run.run_id} has no file {path} with lines", f"benchmarks show-run {run.run_id} lists them")
    found: list[Opening] = []
    for artifact in wanted:
        try:
            with open_recorded(place.workspace.folder_of(run), artifact, place.workspace.elsewhere) as file:
                if not is_recorded(file, artifact):
                    raise NotReadable("is not the file that was recorded")
                found += open_lines(salts, run.run_id, artifact, file, sample_id)
        except (NotReadable, Unreachable) as problem:
            raise UsageError(f"{artifact.path} of {run.run_id} {problem}") from problem
    if number > len(found):
        has = f"has {len(found)} samples" if found else "has no sample"
        raise UsageError(f"{run.run_id} {has} '{sample_id}'", "benchmarks query lists the samples of runs")
    if len(found) > 1:
        note(f"{len(found)} lines have this id: --number opens another one")
    print_json(found[number - 1])
