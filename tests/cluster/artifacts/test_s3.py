"""Files of runs in a real S3 server: copied, read elsewhere, damaged, lost with the server, and refused before."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request

import pytest

from tests.waiting import until

SAMPLES = """
print("a line of the log", flush=True)
rows = [{"id": str(n), "correct": n % 2 == 0} for n in range(4)]
output.joinpath("samples.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
output.joinpath("model.bin").write_bytes(os.urandom(40 * 1024 * 1024))
output.joinpath("odd *?[name] é.txt").write_text("odd")
output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4}))
"""

LONG = """
import time
print("the first line", flush=True)
while not pathlib.Path({flag!r}).exists():
    time.sleep(0.05)
"""


def leave(bench) -> None:
    for group in bench.results.glob("rg_*"):
        shutil.rmtree(group)


@contextlib.contextmanager
def viewing(bench, **environ: str):
    """Asks a viewer, a process of its own, for a path."""
    viewer = bench.start("serve-viewer", "--port", "0", **environ)
    try:
        address = re.search(r"http://\S+/", viewer.stdout.readline())[0]

        def ask(path: str) -> tuple[int, bytes]:
            try:
                with urllib.request.urlopen(address + path.lstrip("/"), timeout=60) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as problem:
                return problem.code, problem.read()

        yield ask
    finally:
        viewer.send_signal(signal.SIGINT)
        viewer.communicate()


def test_a_run_in_a_bucket_is_read_and_proven_on_another_machine(bench, s3, url):
    bench.add("one", SAMPLES)
    bench.run("one", more=("--artifacts", url), **s3.environ)
    [run] = bench.runs()
    assert run["notes"] == []
    home = f"benchmarks/{run['run_group_id']}/one__one/{run['run_id']}"
    sizes = {one["path"]: one["bytes"] for one in run["artifacts"]}
    stored = s3.objects()
    assert {key.removeprefix(f"{home}/"): size for key, size in stored.items() if "/output/" in key} == sizes
    assert f"{home}/stdout.log" in stored
    leave(bench)
    elsewhere = {**s3.environ, "BENCHMARKS_ARTIFACTS": url}
    assert "note" not in bench("ledger", "verify", **elsewhere).stdout
    assert "in s3://team-runs/benchmarks" in bench("ledger", "verify").stdout
    with viewing(bench, **elsewhere) as ask:
        path = f"/api/runs/{run['run_id']}"
        assert ask(f"{path}/logs/stdout") == (200, b"a line of the log\n")
        assert len(json.loads(ask(f"{path}/samples")[1])["samples"]) == 4
        assert len(ask(f"{path}/artifacts/output/model.bin")[1]) == sizes["output/model.bin"]
        assert ask(f"{path}/artifacts/output/odd%20%2A%3F%5Bname%5D%20%C3%A9.txt") == (200, b"odd")
        assert all(one["present"] for one in json.loads(ask(f"{path}/artifacts")[1])["artifacts"])
    s3.client.put_object(
        Bucket="team-runs", Key=f"{home}/output/samples.jsonl", Body=b"x" * sizes["output/samples.jsonl"]
    )
    s3.client.delete_object(Bucket="team-runs", Key=f"{home}/output/result.json")
    said = bench("ledger", "verify", code=1, **elsewhere).stdout
    assert "samples.jsonl is not the file that was recorded" in said
    assert "result.json is missing" in said
    with viewing(bench, **elsewhere) as ask:
        assert "not the file that was recorded" in ask(f"{path}/samples")[1].decode()


def test_the_log_of_a_lost_machine_is_there_up_to_its_last_part(bench, s3, url, tmp_path):
    bench.add("long", LONG.format(flag=str(tmp_path / "go")))
    bench.environ |= {**s3.environ, "BENCHMARKS_ARTIFACTS": url}
    running = bench.start("run", "--benchmarks", "long", "--provider", "ollama")
    try:
        until(lambda: any("stdout.log.parts" in key for key in s3.objects()))
        [run] = bench.runs()
        shutil.move(bench.results / run["run_group_id"], tmp_path / "away")
        with viewing(bench) as ask:
            assert ask(f"/api/runs/{run['run_id']}/logs/stdout") == (200, b"the first line\n")
            running.kill()
            running.communicate()
            assert ask(f"/api/runs/{run['run_id']}/logs/stdout") == (200, b"the first line\n")
    finally:
        running.kill()
        (tmp_path / "go").touch()
    shutil.move(tmp_path / "away", bench.results / run["run_group_id"])
    bench("recover-stale-runs", "--stale-seconds", "0")
    assert not any("parts" in key for key in s3.objects())
    assert any(key.endswith("/stdout.log") for key in s3.objects())


def test_a_server_that_dies_costs_no_result_and_is_completed_later(bench, s3, url):
    bench.add("one", f"os.kill({s3.server.pid}, 9)\n" + SAMPLES)
    bench.add("two", SAMPLES)
    bench.environ |= s3.environ
    began = time.monotonic()
    said = bench.run("one", "two", more=("--artifacts", url, "--jobs", "2"))
    seconds = time.monotonic() - began
    s3.server.wait()
    runs = bench.runs()
    assert [run["status"] for run in runs] == ["succeeded", "succeeded"]
    assert all("were not copied to s3://team-runs/benchmarks" in run["notes"][0] for run in runs)
    assert s3.environ["AWS_SECRET_ACCESS_KEY"] not in said + json.dumps(runs)
    assert seconds < 110  # A generous limit: a server that refuses connections does not take the five minutes.
    leave_here = {**s3.environ, "BENCHMARKS_ARTIFACTS": url}
    for group in bench.results.glob("rg_*"):
        group.rename(group.with_name("away_" + group.name))
    unreachable = bench("ledger", "verify", **leave_here).stdout
    assert "sound:" in unreachable and "were not checked: the store" in unreachable
    for group in bench.results.glob("away_*"):
        group.rename(group.with_name(group.name.removeprefix("away_")))
    s3.start()
    assert bench("push-artifacts", "--artifacts", url).stdout.startswith("2 runs are in")
    leave(bench)
    assert "note" not in bench("ledger", "verify", **leave_here).stdout


class Forbidding(http.server.BaseHTTPRequestHandler):
    """Answers everything as S3 answers a user without the right."""

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _refuse

    def log_message(self, format: str, *values: object) -> None:
        pass


@pytest.mark.parametrize(
    ("bucket", "told"),
    [
        ("no-such-bucket", "the bucket does not exist"),
        ("forbidden", "permission was denied"),
        ("unreachable", "EndpointConnectionError|ConnectionError|ClientConnectorError|OSError"),
        ("anonymous", "no credentials were found"),
    ],
)
def test_a_bucket_that_cannot_be_written_to_is_refused_before_a_run(bench, s3, bucket, told):
    bench.add("one", SAMPLES)
    environ = dict(s3.environ)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forbidding)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if bucket == "forbidden":
        environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.server_address[1]}"
    if bucket == "unreachable":
        environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    if bucket == "anonymous":
        del environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"]
    said = bench.run("one", more=("--artifacts", f"s3://{bucket}/runs"), code=2, **environ)
    server.shutdown()
    server.server_close()
    assert re.search(told, said), said
    assert said.count("\n") <= 3 and "\nhint: " in said
    assert s3.environ["AWS_SECRET_ACCESS_KEY"] not in said
    assert bench.runs() == []
