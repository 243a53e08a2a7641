"""A connection to a Ray cluster, with limits on every wait, and what its nodes are.

Ray is imported late: it is an extra, and takes a third of a second.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ...adapters.manifest import Resources
from ..errors import UsageError
from ..planning.plan import PlannedRun

ADDRESS_VARIABLE = "RAY_ADDRESS"
CONNECT_SECONDS = 40.0
_AUTO = "auto"
_TCP_SECONDS = 5.0
# A Ray cluster speaks gRPC, which is HTTP/2: both sides begin with a frame of settings (RFC 9113, sections 3.4, 4.1).
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_FRAME_HEADER = 9
_SETTINGS = b"\x04"

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
_VERSIONS = re.compile(r"(Ray|Python): ([\w.+-]+)")


class Node(msgspec.Struct, frozen=True):
    """A live node: its id, its address, and all the resources that it has, by Ray's names."""

    node_id: str
    address: str
    resources: Mapping[str, float]


def connect(address: str | None) -> Any:
    """Connect this process to a cluster and return the module `ray`. Raises UsageError within a minute.

    Without an address: that of RAY_ADDRESS, else the cluster that runs on this machine.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as problem:
        raise UsageError(
            f"the executor ray needs the package ray, which cannot be imported: {problem}",
            'pip install "benchmark-orchestrator[ray]"',
        ) from problem
    chosen = address or os.environ.get(ADDRESS_VARIABLE) or _AUTO
    if chosen == _AUTO:
        chosen = _running_here(ray)
    if chosen.startswith("ray://"):
        raise UsageError(
            f"{chosen} is an address for Ray Client, which is not supported",
            "run this command on a node of the cluster, and give the address that `ray status` shows",
        )
    _reach(chosen)
    problems: list[BaseException] = []

    def init() -> None:
        try:
            ray.init(address=chosen, log_to_driver=False, configure_logging=False, logging_level=logging.ERROR)
        except BaseException as problem:  # noqa: BLE001 - Ray raises SystemExit, too; it is reported below
            problems.append(problem)

    # Ray prints what happens to its workers and nodes on stdout, which is for results. The campaign reports it anyway.
    ray._private.worker.print_to_stdstream = lambda *_, **__: None
    # In a thread: Ray may hang, and in the main thread it would replace the handlers of signals.
    thread = threading.Thread(target=init, name="ray", daemon=True)
    with _silent_stderr():
        thread.start()
        thread.join(CONNECT_SECONDS)
    if thread.is_alive():
        raise UsageError(
            f"no Ray cluster answered at {chosen} within {CONNECT_SECONDS:.0f} s",
            "check --ray-address with: ray status --address ADDRESS",
        )
    if problems:
        raise _why(problems[0], chosen) from problems[0]
    return ray


def _running_here(ray: Any) -> str:
    """The address of the cluster that runs on this machine. Raises UsageError."""
    found = sorted(ray._private.services.find_gcs_addresses())
    if len(found) == 1:
        return str(found[0])
    if found:
        raise UsageError(
            f"{len(found)} Ray clusters run on this machine: {', '.join(found)}", "choose with --ray-address"
        )
    raise UsageError(
        "no Ray cluster runs on this machine, and no address is given",
        "give --ray-address HOST:PORT or RAY_ADDRESS, or start a cluster: ray start --head",
    )


def _reach(address: str) -> None:
    """Raises UsageError if nothing listens at an address: Ray would ask for minutes."""
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise UsageError(f"'{address}' is not the address of a Ray cluster", "write it as HOST:PORT")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _TCP_SECONDS) as connection:
            connection.settimeout(_TCP_SECONDS)
            connection.sendall(_HTTP2_PREFACE)
            answer = connection.recv(_FRAME_HEADER)
    except OSError as problem:
        raise UsageError(
            f"no Ray cluster answers at {address}: {problem.strerror or problem}",
            "check --ray-address; `ray status` shows the address of a running cluster",
        ) from problem
    if answer[3:4] != _SETTINGS:
        raise UsageError(
            f"what answers at {address} is not a Ray cluster",
            "check --ray-address; `ray status` shows the address of a running cluster",
        )


def _why(problem: BaseException, address: str) -> UsageError:
    text = " ".join(str(problem).split())
    if "ersion mismatch" in text:
        versions = _VERSIONS.findall(text)
        told = ", ".join(f"{name} {version}" for name, version in versions)
        return UsageError(
            f"the cluster at {address} and this process have different versions: {told or text}",
            "use the same versions of Ray and Python on every machine",
        )
    if isinstance(problem, SystemExit) or "GCS" in text or isinstance(problem, ConnectionError):
        return UsageError(
            f"what answers at {address} is not a Ray cluster that this machine belongs to",
            "run this command on a node of the cluster, and check --ray-address",
        )
    return UsageError(f"cannot connect to the Ray cluster at {address}: {text[:300]}")


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep the warnings of Ray's C++ part off the terminal while it connects."""
    sys.stderr.flush()
    kept = os.dup(2)
    quiet = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(quiet, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(quiet)


def nodes_of(ray: Any) -> list[Node]:
    """The live nodes of the cluster."""
    return [
        Node(one["NodeID"], one["NodeManagerAddress"], one["Resources"])
        for one in ray.nodes()
        if one["Alive"] and one["Resources"]
    ]


def asked_of(needed: Resources) -> dict[str, float]:
    """What a run asks of Ray, by Ray's names. A run that states no processors takes one."""
    asked = {"CPU": needed.cpus or 1.0, "GPU": float(needed.gpus), "memory": float(needed.memory_bytes)}
    return {name: amount for name, amount in {**asked, **needed.custom}.items() if amount}


def options_of(needed: Resources) -> dict[str, Any]:
    """The same as options of a Ray task."""
    options: dict[str, Any] = {"num_cpus": needed.cpus or 1}
    if needed.gpus:
        options["num_gpus"] = needed.gpus
    if needed.memory_bytes:
        options["memory"] = needed.memory_bytes
    if needed.custom:
        options["resources"] = dict(needed.custom)
    return options


def refuse_impossible(plan: Sequence[PlannedRun], nodes: Sequence[Node]) -> None:
    """Raises UsageError for work that no node could ever perform: Ray would let it wait for ever."""
    if not nodes:
        raise UsageError("the Ray cluster has no live node", "look at: ray status")
    for planned in plan:
        asked = asked_of(planned.adapter.manifest.resources)
        if not planned.missing and not any(_has(node, asked) for node in nodes):
            largest = max(nodes, key=lambda node: [node.resources.get(name, 0.0) for name in ("GPU", "CPU", "memory")])
            names = dict.fromkeys(["CPU", "GPU", "memory", *asked])
            has = {name: largest.resources.get(name, 0.0) for name in names}
            raise UsageError(
                f"{planned.adapter.id}: no node of the cluster can run it: it asks for {_told(asked)}, "
                f"and the largest of {len(nodes)} nodes has {_told(has)}",
                "add a larger node, or lower [resources] of its manifest",
            )


def _has(node: Node, asked: Mapping[str, float]) -> bool:
    return all(node.resources.get(name, 0.0) >= amount for name, amount in asked.items())


def _told(amounts: Mapping[str, float]) -> str:
    return ", ".join(
        f"{amount / 2**30:.1f} GiB of memory" if name == "memory" else f"{amount:g} {name}"
        for name, amount in amounts.items()
    )


def room_of(plan: Sequence[PlannedRun], nodes: Sequence[Node]) -> int:
    """How many of the smallest runs of a plan the nodes can perform at a time; at least one."""
    smallest = min((planned.adapter.manifest.resources.cpus or 1.0 for planned in plan), default=1.0)
    return max(1, sum(int(node.resources.get("CPU", 0.0) / smallest) for node in nodes))
