"""`witness`: serve a witness, which confirms that the ledgers of others only grow."""

from __future__ import annotations

from pathlib import Path

import click

from ...ledger.proof.signing import COSIGNATURE, new_signer, parse_signer, parse_verifier
from ...ledger.proof.witnessing import open_witness
from ...orchestrator.errors import UsageError
from ..group import Group
from ..notes import key_text, write_key
from ..ranges import Whole


@click.group(cls=Group)
def command() -> None:
    """Serve a witness: it confirms that the ledgers of others only grow.

    A keeper of a ledger cannot show two histories to two readers if both ask for the signature of one witness.
    """


@command.command()
@click.argument("name")
@click.option(
    "--output", required=True, metavar="FILE", type=click.Path(path_type=Path), help="Write the private key here."
)
def keygen(name: str, output: Path) -> None:
    """Create the key pair of a witness: write the private key to FILE, and print the public key."""
    signer = new_signer(name, COSIGNATURE)
    write_key(signer, output)
    print(signer.verifier)


@command.command()
@click.option(
    "--key",
    required=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Sign with the key in this file.",
)
@click.option(
    "--state",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep what was signed in this folder.",
)
@click.option("--log", "logs", metavar="KEY", multiple=True, required=True, help="Sign for this ledger (repeatable).")
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen on this address.")
@click.option("--port", type=Whole(0, 65535), default=8878, show_default=True, help="Listen on this port; 0 is any.")
def serve(key: str, state: Path, logs: tuple[str, ...], host: str, port: int) -> None:
    """Serve the witness over HTTP (C2SP tlog-witness), until Ctrl-C.

    It signs a checkpoint if it continues the last one that it has signed for that ledger, and keeps it on disk before
    it answers. Losing the folder is like losing its memory: never go back to an older copy of it.
    """
    from ...viewer.server.listening import ViewerError
    from ...viewer.server.witness import serve_witness

    signer = parse_signer(key_text(key), COSIGNATURE)
    known = [parse_verifier(key_text(log)) for log in logs]
    try:
        with open_witness(state, signer, known) as witness:
            serve_witness(
                witness,
                host=host,
                port=port,
                on_ready=lambda url: print(f"the witness {signer.verifier.name} is at {url}", flush=True),
            )
    except ViewerError as problem:
        raise UsageError(str(problem)) from problem
