"""`ledger checkpoint`, `prove`, `verify-proof`, `tiles` and `keygen`: proofs for people who do not have the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from ....ledger.errors import LedgerError
from ....ledger.index.keeping import read_stream
from ....ledger.proof.checkpoint import Checkpoint, check_origin, held_head, parse_note, take_checkpoint
from ....ledger.proof.encoding import BadText
from ....ledger.proof.issuing import kept_note, sign_checkpoint
from ....ledger.proof.kept import ask_tree, write_site
from ....ledger.proof.policy import Policy, parse_policy, policy_text
from ....ledger.proof.proof import NotProven, Proven, prove_event
from ....ledger.proof.proof import verify_proof as verify
from ....ledger.proof.signing import Signer, new_signer, parse_signed, parse_signer, parse_verifier
from ....ledger.storage.chain import origin_of
from ....ledger.store import EventStore
from ....orchestrator.errors import UsageError
from ...context import Place, in_place, json_option, note, print_json
from ...notes import key_text, read_line, read_note, read_text, write_key

sign_option = click.option(
    "--sign", metavar="FILE", type=click.Path(exists=True, dir_okay=False), help="Sign the note with the key in FILE."
)
origin_option = click.option(
    "--origin", metavar="NAME", help="Call the ledger by this public name (default: the name of the key)."
)


policy_option = click.option(
    "--policy", "policy_file", metavar="POLICY", help="Whom to believe: a file in the form of tlog-policy."
)
verify_key_option = click.option(
    "--verify-key", metavar="KEY", help="Believe the ledger of this key (or of the one in this file)."
)


@click.command()
@sign_option
@origin_option
@in_place
def checkpoint(place: Place, sign: str | None, origin: str | None) -> None:
    """Check the chain, and print a note about the ledger to store outside of it: name, number of events, root.

    Later, `ledger verify --checkpoint FILE` proves that the history up to this note is unchanged. A signed note is
    also kept beside the ledger: the next one is signed only if the ledger continues it.
    """
    print(_checkpoint(place.store(), sign, origin), end="")


def _checkpoint(store: EventStore, sign: str | None, origin: str | None) -> str:
    origin = _origin(origin)
    signer = signer_in(sign, origin) if sign else None
    return str(sign_checkpoint(store, signer, origin)) if signer else take_checkpoint(store, origin).note()


def signer_in(sign: str, origin: str | None) -> Signer:
    """The signer in a file, with a note if a policy would not find its key. Raises SigningError."""
    signer = parse_signer(key_text(sign))
    if origin not in (None, signer.verifier.name):
        note(
            f"the key is called {signer.verifier.name}, and the ledger {origin}: a policy finds the key of a ledger by "
            "its name, so it will not accept this checkpoint"
        )
    return signer


def _origin(origin: str | None) -> str | None:
    try:
        if origin is not None:
            check_origin(origin)
    except BadText as problem:
        raise UsageError(f"--origin: {problem}") from problem
    return origin


@click.command()
@click.argument("name")
@click.option(
    "--output",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the private key here.",
)
def keygen(name: str, output: Path) -> None:
    """Create a key pair to sign checkpoints: write the private key to FILE, and print the public key.

    NAME identifies the signer, such as a domain or a mail address. Checkpoints that it signs call the ledger by it.
    """
    signer = new_signer(name)
    write_key(signer, output)
    print(signer.verifier)


@click.command()
@click.argument("event", metavar="RUN|SEQ")
@click.option("--checkpoint", "note_file", metavar="FILE", help="Prove that the event is in this checkpoint.")
@sign_option
@origin_option
@click.option("--save-event", metavar="FILE", type=click.Path(path_type=Path), help="Also write the event's line here.")
@in_place
def prove(
    place: Place, event: str, note_file: str | None, sign: str | None, origin: str | None, save_event: Path | None
) -> None:
    """Print a proof that an event is in the ledger: the end of RUN, or the event at position SEQ.

    `ledger verify-proof` checks it without the ledger. The proof holds a checkpoint: the one in FILE, a new one that is
    signed with --sign, or the last signed one that is kept beside the ledger. Without these it has no signature, and
    proves something only to a reader who has the same checkpoint from elsewhere.
    """
    if note_file and (sign or origin):
        raise UsageError("--checkpoint names a checkpoint, and --sign or --origin make a new one", "give one of them")
    store = place.store()
    position = _position(place, store, event)
    text = read_note(note_file) if note_file else note_for(store, position, sign, origin)
    try:
        proof = prove_event(store, position, text)
    except BadText as problem:
        raise UsageError(f"{note_file or 'the checkpoint'} is not a checkpoint: {problem}") from problem
    if save_event:
        try:
            save_event.write_bytes(next(store.read_lines(position - 1)) + b"\n")
        except OSError as problem:
            raise UsageError(f"the event cannot be written to {save_event}: {problem.strerror}") from problem
    print(proof, end="")


def _position(place: Place, store: EventStore, event: str) -> int:
    """The position of the event that a command names; the beginning of a run's id is enough. Raises UsageError."""
    if event.isascii() and event.isdecimal() and len(event) < 19:
        position, last = int(event), store.head().seq
        if not 0 < position <= last:
            raise UsageError(f"the ledger has no event {position}: its last event is {last}")
        return position
    ledger, _ = place.ledger(store)
    run = ledger.look(lambda history: history.runs.get(event))
    if run is None:
        with place.catalogue() as catalogue:
            names = catalogue.runs_beginning_with(event, 2)
        if len(names) == 2:
            raise UsageError(f"several runs begin with '{event}', such as {names[0]}", "give more of the id")
        run = ledger.look(lambda history: history.runs.get(names[0])) if names else None
    if run is None:
        hint = "benchmarks show-runs lists the runs; a number is the position of an event"
        raise UsageError(f"the ledger has no run '{event}'", hint)
    if run.ended_seq is None:
        records = list(read_stream(store, run.run_id, after=run.first_seq - 1))
        hint = f"prove its last event: benchmarks ledger prove {records[-1].seq}"
        raise UsageError(f"{run.run_id} has not ended, so it does not have an event to prove", hint)
    return run.ended_seq


def note_for(store: EventStore, position: int, sign: str | None, origin: str | None = None) -> str:
    """A checkpoint that has the event at a position: a new one that is signed, the kept one, or one without signature.

    Raises what `sign_checkpoint` raises.
    """
    if sign:
        return str(sign_checkpoint(store, signer_in(sign, _origin(origin)), origin))
    kept = kept_note(store)
    if kept is not None and parse_note(kept.text).position >= position and origin is None:
        return str(kept)
    note(
        "the proof has a checkpoint without a signature\nhint: sign one with --sign, or compare its root with a "
        "checkpoint from elsewhere"
    )
    first = next(store.read_lines(), b"")
    name = _origin(origin) or origin_of(first[-66:-2].decode())
    return ask_tree(store, lambda tree: Checkpoint(name, tree.size, tree.root.hex()).note())


@click.command("verify-proof")
@click.argument("proof_file", metavar="FILE")
@policy_option
@verify_key_option
@click.option("--event", metavar="LINE", help="The event that must be proven: its line, or a file with it.")
@json_option
def verify_proof(
    proof_file: str, policy_file: str | None, verify_key: str | None, event: str | None, as_json: bool
) -> None:
    """Check a proof of an event, without the ledger and without a network. Exit code 1 if it does not prove it.

    POLICY says which keys sign checkpoints and which witnesses must have seen them; `ledger policy` prints one.
    """
    policy = policy_in(policy_file, verify_key)
    text = read_text(proof_file, "proof")
    line = None if event is None else read_line(event)
    try:
        proven = verify(text, policy, line)
    except BadText as problem:
        raise NotProven(f"{proof_file} does not prove anything: {problem}") from problem
    if as_json:
        print_json(_as_json(proven))
    else:
        print(_sentence(proven, line))


def policy_in(file: str | None, key: str | None) -> Policy:
    """The policy in a file, or the one that believes a key. Raises UsageError and PolicyError."""
    if (file is None) == (key is None):
        raise UsageError("give --policy or --verify-key", "they say whose checkpoints are believed")
    text = read_text(file, "policy") if file else policy_text([parse_verifier(key_text(str(key)))], [], 0)
    return parse_policy(text)


def _as_json(proven: Proven) -> dict[str, Any]:
    accepted = proven.accepted
    return {
        "position": proven.position,
        "event_hash": proven.event_hash,
        "origin": accepted.checkpoint.origin,
        "size": accepted.checkpoint.position,
        "root": accepted.checkpoint.hash,
        "signed_by": str(accepted.log.verifier) if accepted.log else None,
        "witnesses": accepted.witnesses,
    }


def _sentence(proven: Proven, line: bytes | None) -> str:
    what = ""
    if line is not None:
        event = msgspec.json.decode(line)
        data = event.get("data")
        score = data.get("score") if isinstance(data, dict) else None
        what = f" ({event.get('type')} of {event.get('stream')}" + ("" if score is None else f", score {score}") + ")"
    accepted = proven.accepted
    seen = f"; seen by {', '.join(accepted.witnesses)}" if accepted.witnesses else ""
    return (
        f"proven: event {proven.position}{what} is in the ledger {accepted.checkpoint.origin} of "
        f"{accepted.checkpoint.position} events{seen}\nhash of the event: {proven.event_hash}"
    )


@click.command()
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path, file_okay=False))
@click.option("--checkpoint", "note_file", metavar="FILE", help="Serve this signed checkpoint of the whole ledger.")
@sign_option
@in_place
def tiles(place: Place, out: Path, note_file: str | None, sign: str | None) -> None:
    """Write the static site of a tiled transparency log to the folder OUT: checkpoint, tiles and entries.

    Any web server can serve it, and any client of such logs can watch it. The entries are the hashes of the events, not
    the events. A second time, only what is new is written. By default the signed checkpoint beside the ledger is used.
    """
    store = place.store()
    if out.exists() and any(out.iterdir()) and not (out / "tree.json").is_file():
        raise UsageError(f"{out} is not empty, and is not such a site", "give an empty or a new folder")
    text = read_note(note_file) if note_file else _signed(store, sign)
    try:
        known = parse_note(parse_signed(text).text)
        if held_head(store, known) is None:
            raise NotProven(f"the checkpoint of {known.origin} is not one of this ledger: its root is another")
        tree = write_site(store, out)
        (out / ".checkpoint.new").write_text(text)
        (out / ".checkpoint.new").replace(out / "checkpoint")
    except BadText as problem:
        raise UsageError(f"{note_file} is not a checkpoint: {problem}") from problem
    except OSError as problem:
        raise LedgerError(f"the site cannot be written to {out}: {problem.strerror or problem}") from problem
    print(f"{out}: {tree.size} entries; checkpoint of {known.origin}, {known.position} events")


def _signed(store: EventStore, sign: str | None) -> str:
    if sign:
        return str(sign_checkpoint(store, signer_in(sign, None)))
    kept = kept_note(store)
    if kept is None:
        raise UsageError("this ledger does not have a signed checkpoint", "give a key with --sign")
    return str(kept)
