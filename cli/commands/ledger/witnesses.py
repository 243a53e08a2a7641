"""`ledger witness`, `cosign` and `policy`: other people confirm that this ledger only grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ....ledger.proof.checkpoint import held_head, parse_checkpoint
from ....ledger.proof.encoding import BadText
from ....ledger.proof.issuing import keep_note, kept_note, sign_checkpoint
from ....ledger.proof.kept import ask_tree
from ....ledger.proof.policy import policy_text
from ....ledger.proof.proof import NotProven
from ....ledger.proof.signing import Note, parse_verifier
from ....ledger.proof.witness_list import add_witness, read_witnesses, remove_witness
from ....ledger.store import EventStore
from ....orchestrator.errors import UsageError
from ...context import Place, in_place, json_option, note, print_json
from ...group import Group
from ...notes import key_text, read_note
from ...printing import print_table
from ...ranges import Number, Whole
from .proofs import sign_option, signer_in

if TYPE_CHECKING:
    from ....ledger.proof.cosigning import Answer


@click.group(cls=Group)
def witness() -> None:
    """Say which witnesses confirm the checkpoints of this ledger."""


@witness.command()
@click.argument("url")
@click.argument("key")
@click.option("--name", help="Call it so in policies (default: the name of its key).")
@in_place
def add(place: Place, url: str, key: str, name: str | None) -> None:
    """Add the witness at URL with the public key KEY (or the one in that file)."""
    added = add_witness(place.workspace.results, url, key_text(key).strip(), name)
    print(added)


@witness.command("list")
@json_option
@in_place
def list_(place: Place, as_json: bool) -> None:
    """List the witnesses of this ledger."""
    known = read_witnesses(place.workspace.results)
    if as_json:
        print_json([{"name": one.name, "url": one.url, "key": str(one.verifier)} for one in known])
    else:
        print_table(["name", "url", "key"], [[one.name, one.url or "", str(one.verifier)] for one in known])


@witness.command()
@click.argument("name")
@in_place
def remove(place: Place, name: str) -> None:
    """Remove the witness NAME."""
    remove_witness(place.workspace.results, name)


@click.command()
@click.argument("note_file", metavar="[FILE]", required=False)
@sign_option
@click.option("--quorum", type=Whole(0, 1000), metavar="N", help="Number of signatures that are enough (default: all).")
@click.option("--timeout", type=Number(0, 600, min_open=True), default=10.0, help="Maximum seconds to wait for them.")
@in_place
def cosign(place: Place, note_file: str | None, sign: str | None, quorum: int | None, timeout: float) -> int:
    """Let the witnesses sign a checkpoint, and print it with their signatures.

    The checkpoint is the one in FILE, a new one with --sign, or the last one that was signed for this ledger. A witness
    signs only what continues the history that it has seen. Exit code 1 if fewer than N have signed, 3 if a witness has
    seen another history.
    """
    from ....ledger.proof.cosigning import ask_witnesses

    if note_file and sign:
        raise UsageError("FILE names a checkpoint, and --sign makes a new one", "give one of them")
    known = read_witnesses(place.workspace.results)
    if not known:
        raise UsageError("this ledger does not have witnesses", "benchmarks ledger witness add URL KEY")
    if quorum is not None and quorum > len(known):
        raise UsageError(f"--quorum asks for {quorum} signatures, and there are {len(known)} witnesses")
    store = place.store()
    signed = _note(store, note_file, sign)
    position = parse_checkpoint(str(signed))[0].position
    answers = ask_witnesses(
        signed,
        known,
        lambda old: ask_tree(store, lambda tree: tree.consistency(old, position)),
        seconds=timeout,
    )
    cosigned = signed.with_signatures(one.signature for one in answers if one.signature is not None)
    kept = kept_note(store)
    if kept is not None and kept.text == cosigned.text:
        keep_note(store, kept.with_signatures(cosigned.signatures))
    print(cosigned, end="")
    return _result(answers, len(known) if quorum is None else quorum)


def _note(store: EventStore, note_file: str | None, sign: str | None) -> Note:
    if sign:
        return sign_checkpoint(store, signer_in(sign, None))
    if note_file is None:
        kept = kept_note(store)
        if kept is None:
            raise UsageError("this ledger does not have a signed checkpoint", "give a key with --sign")
        return kept
    try:
        checkpoint, signed = parse_checkpoint(read_note(note_file))
    except BadText as problem:
        raise UsageError(f"{note_file} is not a checkpoint: {problem}") from problem
    if held_head(store, checkpoint) is None:
        raise NotProven(f"the checkpoint of {checkpoint.origin} is not one of this ledger: its root is another")
    return signed


def _result(answers: list[Answer], quorum: int) -> int:
    for one in answers:
        if one.state != "signed":
            note(f"{one.witness.name} has not signed: {one.reason}")
    signed = sum(one.state == "signed" for one in answers)
    note(f"{signed} of {len(answers)} witnesses have signed; {quorum} were asked for")
    if any(one.state == "fork" for one in answers):
        return 3
    return 0 if signed >= quorum else 1


@click.command()
@click.option("--log", "keys", metavar="KEY", multiple=True, required=True, help="Believe this key (repeatable).")
@click.option("--quorum", type=Whole(0, 1000), metavar="N", help="Witnesses that are enough (default: all).")
@in_place
def policy(place: Place, keys: tuple[str, ...], quorum: int | None) -> None:
    """Print a policy for `ledger verify-proof`: the keys of ledgers, and how many of the witnesses must have signed."""
    known = read_witnesses(place.workspace.results)
    number = len(known) if quorum is None else quorum
    if number > len(known):
        raise UsageError(f"--quorum asks for {number} signatures, and there are {len(known)} witnesses")
    print(policy_text([parse_verifier(key_text(key)) for key in keys], known, number), end="")
