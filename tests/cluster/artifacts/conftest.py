"""A real S3 server on this machine: moto's, as a process of its own that a test may kill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config

BUCKET = "team-runs"


SERVER = """
import sys, threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", int(sys.argv[1]), verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
threading.Event().wait()
"""
"""Serves S3 at a port, or at any free one if that is 0, and prints the port when it answers."""


class S3:
    """The server, its bucket, and the variables by which a command reaches it."""

    def __init__(self) -> None:
        self.port = 0
        self._serve()
        self.environ = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEOFTESTS",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIexampleoftests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.client = boto3.client(
            "s3",
            endpoint_url=self.environ["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environ["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 1}, connect_timeout=2),
        )
        self.client.create_bucket(Bucket=BUCKET)

    def _serve(self) -> None:
        argv = [sys.executable, "-c", SERVER, str(self.port)]
        self.server = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.server.stdout
        self.port = int(self.server.stdout.readline())

    def start(self) -> None:
        """Start the server again, at its port and with an empty bucket."""
        self._serve()
        self.client.create_bucket(Bucket=BUCKET)

    def kill(self) -> None:
        """Kill the server. What it stored is gone."""
        self.server.kill()
        self.server.wait()

    def objects(self) -> dict[str, int]:
        """The objects of the bucket, with their sizes."""
        found = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {one["Key"]: one["Size"] for one in found}


@pytest.fixture(scope="session")
def _server() -> Iterator[S3]:
    s3 = S3()
    yield s3
    s3.kill()


@pytest.fixture
def s3(_server: S3) -> S3:
    """The server with an empty bucket."""
    if _server.server.poll() is not None:
        _server.start()
    for key in _server.objects():
        _server.client.delete_object(Bucket=BUCKET, Key=key)
    return _server


@pytest.fixture
def url() -> str:
    """The address that the tests use."""
    return f"s3://{BUCKET}/benchmarks"
