"""Witnesses that are killed, slow or hostile, and ledgers that show two histories: no signature is false."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from hashlib import sha256

import aics_tlog
import pytest

from benchmarks.ledger.proof.checkpoint import Checkpoint, parse_checkpoint
from benchmarks.ledger.proof.signing import COSIGNATURE, new_signer, parse_signatures
from benchmarks.ledger.proof.witnessing import Request
from tests.conftest import COMMAND

LOG = "bench.example.org/team"


class Served:
    """A witness in a process of its own."""

    def __init__(self, folder, name: str, *logs: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.signer = new_signer(name, COSIGNATURE)
        self.key, self.state, self.logs = folder / f"{name}.key", folder / name, logs
        self.key.write_text(f"{self.signer}\n")
        self.key.chmod(0o600)
        self.process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> Served:
        options = ["--key", str(self.key), "--state", str(self.state), "--port", "0"]
        logs = [word for log in self.logs for word in ("--log", log)]
        self.process = subprocess.Popen(
            [*COMMAND, "witness", "serve", *options, *logs], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.process.stdout.readline())
        assert found, self.process.communicate(timeout=20)
        self.url, self.port = found[0], int(found[1])
        return self

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.communicate()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.communicate(timeout=20)

    def post(self, body: bytes) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", "/add-checkpoint", body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers["Content-Type"]
        finally:
            connection.close()


@pytest.fixture
def served(tmp_path):
    witnesses = []

    def serve(name: str, *logs: str) -> Served:
        witnesses.append(Served(tmp_path / "witnesses", name, *logs).start())
        return witnesses[-1]

    yield serve
    for witness in witnesses:
        witness.stop()


@pytest.fixture
def signed(bench, tmp_path):
    bench.add("good")
    bench.run("good")
    key = tmp_path / "signing.key"
    return bench, key, bench("ledger", "keygen", LOG, "--output", str(key)).stdout.strip()


def request(signer, tree, old: int, new: int) -> bytes:
    note = signer.sign(Checkpoint(signer.verifier.name, new, tree.root(new).hex()).note())
    return str(Request(old, tree.consistency_proof(old, new), note)).encode()


def test_a_killed_witness_never_forgets_what_it_has_signed(served, is_full, rng, tally):
    log = new_signer("log.example/a")
    witness = served("w1.example", str(log.verifier))
    ours = aics_tlog.MerkleTree([b"%d" % number for number in range(4000)])
    fork = aics_tlog.MerkleTree([b"fork %d" % number for number in range(4000)])
    signed = 0

    def submit_until_killed() -> None:
        nonlocal signed
        size = signed
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                status, text, kind = witness.post(request(log, ours, size, min(size + 1, 4000)))
                if status == 409:
                    assert kind == "text/x.tlog.size" and int(text) >= signed
                    size = int(text)
                    continue
                assert status == 200, text
                assert parse_signatures(text)
                size += 1
                signed = size

    for _ in range(40 if is_full else 3):
        submitting = threading.Thread(target=submit_until_killed)
        submitting.start()
        time.sleep(rng.uniform(0.01, 0.15))  # The moment of the kill.
        witness.kill()
        submitting.join()
        witness.start()
        status, text, _ = witness.post(request(log, ours, 0, signed + 1))
        if signed:
            assert status == 409 and signed <= int(text) <= signed + 1, "it may have kept one that it did not answer"
            status, _, _ = witness.post(request(log, fork, int(text), int(text) + 1))
            assert status == 422
        tally["kills"] += 1
    tally["signatures"] += signed
    assert signed > 0
    connection = http.client.HTTPConnection("127.0.0.1", witness.port, timeout=20)
    connection.request("GET", f"/{sha256(b'log.example/a').hexdigest()}/checkpoint")
    checkpoint, note = parse_checkpoint(connection.getresponse().read().decode())
    assert checkpoint.position >= signed and witness.signer.verifier.signature_of(note) is not None
    connection.close()


def test_two_of_three_witnesses_confirm_a_score(signed, served, tmp_path):
    bench, key, public = signed
    assert "does not have witnesses" in bench("ledger", "cosign", "--sign", str(key), code=2).stderr
    witnesses = [served(f"w{number}.example", public) for number in range(3)]
    for number, witness in enumerate(witnesses):
        bench("ledger", "witness", "add", witness.url, str(witness.signer.verifier), "--name", f"w{number}")
    assert bench("ledger", "witness", "list", "--json").stdout.count('"name"') == 3
    policy = tmp_path / "policy"
    policy.write_text(bench("ledger", "policy", "--log", public, "--quorum", "2").stdout)
    witnesses[2].kill()
    done = bench("ledger", "cosign", "--sign", str(key), "--quorum", "2")
    assert "w2 has not signed: it cannot be reached" in done.stderr and "2 of 3 witnesses have signed" in done.stderr
    theirs = aics_tlog.verify_checkpoint(
        aics_tlog.parse_note(done.stdout),
        aics_tlog.parse_vkey(public),
        [aics_tlog.parse_vkey(str(witness.signer.verifier)) for witness in witnesses],
        quorum=2,
    )
    assert theirs.ok
    # The cosigned checkpoint is kept beside the ledger, so the proof has it.
    proof = tmp_path / "run.tlog-proof"
    proof.write_text(bench("ledger", "prove", bench.runs()[0]["run_id"]).stdout)
    assert "seen by w0, w1" in bench("ledger", "verify-proof", str(proof), "--policy", str(policy)).stdout
    bench.run("good", more=("--force",))
    bench("ledger", "cosign", "--sign", str(key), code=1)
    bench("ledger", "witness", "remove", "w2")
    bench("ledger", "cosign", "--sign", str(key))
    fewer = tmp_path / "fewer"
    fewer.write_text(bench("ledger", "checkpoint", "--origin", LOG).stdout)
    three = policy.read_text().replace("group quorum-of-witnesses 2", "group quorum-of-witnesses 3")
    policy.write_text(three)
    assert (
        "(3 of 3) to have seen" in bench("ledger", "verify-proof", str(proof), "--policy", str(policy), code=1).stderr
    )


def test_a_second_history_gets_no_second_signature(signed, served, tmp_path):
    """The keeper shows one history to one reader, and another to the next, with the same key."""
    bench, key, public = signed
    witness = served("w.example", public)
    bench("ledger", "witness", "add", witness.url, str(witness.signer.verifier))
    first = bench("ledger", "cosign", "--sign", str(key)).stdout
    other = type(bench)(tmp_path / "other")
    shutil.copytree(bench.root, other.root)
    bench.run("good", more=("--force",))
    old = tmp_path / "old"
    old.write_text(first)
    bench("ledger", "cosign", "--sign", str(key))
    # The copy has fewer events: its checkpoint is only old. Then it has others: that is a fork.
    told = other("ledger", "cosign", "--sign", str(key), code=1).stderr
    assert "it has already seen 8 events" in told
    other.run("good", more=("--force",))
    other.run("good", more=("--force",))
    told = other("ledger", "cosign", "--sign", str(key), code=3).stderr
    assert "it has seen another history" in told
    assert "it has already seen 8 events" in bench("ledger", "cosign", str(old), code=1).stderr
    old.write_text(other("ledger", "checkpoint", "--sign", str(key)).stdout)
    assert "not one of this ledger" in bench("ledger", "cosign", str(old), code=1).stderr


@pytest.mark.parametrize("kind", ["mute", "drip", "redirect", "garbage", "stranger", "huge", "size"])
def test_a_hostile_witness_costs_a_few_seconds(signed, kind, tmp_path):
    bench, key, _ = signed
    witness = new_signer("w.example", COSIGNATURE)
    stranger = new_signer("w.example", COSIGNATURE)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        bench("ledger", "witness", "add", f"http://127.0.0.1:{listening.getsockname()[1]}", str(witness.verifier))
        serving = threading.Thread(target=_serve, args=(listening, kind, stranger), daemon=True)
        serving.start()
        begun = time.monotonic()
        done = bench("ledger", "cosign", "--sign", str(key), "--timeout", "2", code=1)
        assert time.monotonic() - begun < 30, "a generous limit: without one of its own, it would never end"
    assert "w.example has not signed: " in done.stderr and "0 of 1 witnesses have signed" in done.stderr
    assert "— w.example " not in done.stdout and f"— {LOG} " in done.stdout


def _serve(listening: socket.socket, kind: str, stranger) -> None:
    head = "HTTP/1.1 {}\r\nContent-Type: text/plain\r\nConnection: close\r\n{}\r\n"
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listening.accept()
            received = b""
            while b"\n\n\xe2\x80\x94 " not in received:
                received += connection.recv(65536)
            note = received.partition(b"\r\n\r\n")[2].decode().partition("\n\n")[2]
            body = ""
            if kind == "mute":
                continue
            if kind == "drip":
                connection.sendall(head.format("200 OK", "Content-Length: 1000000\r\n").encode())
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.2)
            if kind == "stranger":
                body = str(stranger.cosign(note.partition("\n\n")[0] + "\n", 1_700_000_000))
            if kind == "garbage":
                body = "\x00\x01 no signature \n"
            if kind == "huge":
                body = "x" * 1_000_000
            status = {"redirect": "302 Found", "size": "409 Conflict"}.get(kind, "200 OK")
            where = f"Location: http://127.0.0.1:{listening.getsockname()[1]}/x\r\n" if kind == "redirect" else ""
            body = "99999999999999999999999999\n" if kind == "size" else body
            connection.sendall(head.format(status, f"{where}Content-Length: {len(body.encode())}\r\n").encode())
            connection.sendall(body.encode())
            connection.close()


def test_addresses_and_keys_of_witnesses_are_checked(signed, tmp_path):
    bench, key, public = signed
    witness = str(new_signer("w.example", COSIGNATURE).verifier)
    for url in ("file:///etc/passwd", "w.example", "http://", "http://[", "https://w.example/?a=b"):
        assert "is not the address of a witness" in bench("ledger", "witness", "add", url, witness, code=2).stderr
    secret = bench("ledger", "witness", "add", "https://u:secret@w.example", witness, code=2).stderr
    assert "must not hold a password" in secret and "secret" not in secret
    assert "the key of a signer" in bench("ledger", "witness", "add", "https://w.example", public, code=2).stderr
    bench("ledger", "witness", "add", "https://w.example", witness)
    assert (
        bench("ledger", "witness", "add", "https://w.example", witness).stdout
        == f"witness w.example {witness} https://w.example\n"
    )
    bench("ledger", "witness", "add", "https://v.example", witness, "--name", "v")
    assert bench("ledger", "witness", "list").stdout.count("example") == 2, "the same key has another address now"
    other = str(new_signer("o.example", COSIGNATURE).verifier)
    assert (
        "the name 'v' is used twice"
        in bench("ledger", "witness", "add", "https://o.example", other, "--name", "v", code=2).stderr
    )
    bench("ledger", "witness", "remove", "v")
    assert "not a witness of the name" in bench("ledger", "witness", "remove", "v", code=2).stderr
    options = ("--key", str(key), "--state", str(tmp_path / "s"), "--log", public)
    assert "the key of a signer" in bench("witness", "serve", *options, code=2).stderr
