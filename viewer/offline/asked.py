"""What a file holds: the answers of the viewer's own API, without a server."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, unquote, urlencode, urlsplit

import falcon.testing
import msgspec

from ...ledger.store import EventStore
from ...projections.sqlite.keeping import ProjectionError
from ..api.parameters import MAX_TEXT
from ..app import create_app
from ..index.proof import ChainProof

_ROWS_AT_ONCE = 1000
_DAYS = (1, 7, 30, 365)
_CAMPAIGNS = 50
_COMPARED = 6
_BENCHMARK = "/api/benchmarks/"

_SAMPLE_BYTES = 6_000_000
"""Bytes of samples, before they are compressed; those of the newest runs come first, and the rest is named."""
_SAMPLES_OF_A_RUN = 500


class Asked:
    """The viewer's own API, without a server."""

    def __init__(self, workspace: Path, store: EventStore) -> None:
        self._store = store
        self._client = falcon.testing.TestClient(create_app(workspace, store), headers={"Host": "127.0.0.1"})
        self._proof = ChainProof(store)
        while self._proof.step():  # Without a server, no thread does that in the background.
            pass

    def get(self, path: str, **parameters: Any) -> Any:
        """The answer of the API. Raises LedgerDamaged, or ProjectionError with the API's error."""
        found = self._client.simulate_get(path, params=parameters)
        if found.status_code != 200:
            for _ in self._store.read():  # If the ledger is damaged, this error says where.
                pass
            raise ProjectionError(f"{path} failed: {found.json.get('detail', found.text)}")
        return found.json

    def at(self, address: str, position: int) -> Any:
        """The answer of an address as of a position; None if it was not known yet."""
        parts = urlsplit(address)
        asked = {**parse_qs(parts.query), "as_of": str(position)}
        found = self._client.simulate_get(parts.path, params=asked)
        if found.status_code != 200:
            return None
        return self._with_proof(found.json) if parts.path == "/api/integrity" else found.json

    def runs(self, position: int | None = None) -> Iterable[Any]:
        """Every row of a run, the newest first; also as of a position."""
        offset, rows = 0, None
        as_of = {} if position is None else {"as_of": position}
        while rows is None or len(rows) == _ROWS_AT_ONCE:
            rows = self.get("/api/runs", offset=offset, limit=_ROWS_AT_ONCE, facets=0, **as_of)["runs"]
            yield from rows
            offset += _ROWS_AT_ONCE

    def answers(self, benchmarks: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Addresses with their answers, as the page asks for them."""
        for path in ("/api/leaderboard", "/api/benchmarks", "/api/high-scores", "/api/ledger", "/api/board"):
            yield path, self.get(path)
        yield "/api/board?runs=repeats", self.get("/api/board", runs="repeats")
        for days in _DAYS:
            for path in ("/api/overview", "/api/leaders", "/api/attention", "/api/timeline"):
                yield f"{path}?days={days}", self.get(path, days=days)
        yield from self._campaigns()
        yield "/api/integrity", self._with_proof(self.get("/api/integrity"))
        yield from self._comparisons()
        for benchmark in benchmarks:
            path = f"/api/benchmarks/{part(benchmark)}"
            history = self.get(path)
            yield path, history
            yield f"/api/board?benchmark={part(benchmark)}", self.get("/api/board", benchmark=benchmark)
            for task in history["tasks"]:
                key = task["comparison_key"]
                if len(key) <= MAX_TEXT:
                    yield f"{path}?task={part(key)}", self.get(path, task=key)

    def samples(self, run_ids: Iterable[str]) -> dict[str, Any]:
        """The samples of runs, each with everything about it, as far as there is room."""
        found: dict[str, Any] = {}
        room = _SAMPLE_BYTES
        for run_id in run_ids:
            path = f"/api/runs/{part(run_id)}"
            listed = self.get(f"{path}/samples", brief=1, limit=_SAMPLES_OF_A_RUN)
            rows = listed["rows"]
            if not rows or len(rows) < listed["total"]:
                continue
            one = {}
            for row in rows:
                named = {"id": row["id"], **({"line": row["line"]} if row["is_repeated"] else {})}
                one[str(row["line"])] = self.get(f"{path}/sample", **named)
            room -= len(msgspec.json.encode([listed, one]))
            if room < 0:
                break
            found[run_id] = {"list": listed, "one": one}
        return found

    def _with_proof(self, found: dict[str, Any]) -> dict[str, Any]:
        return {
            **found,
            "state": self._proof.state(found["head"]["position"], len(found["problems"])),
            "proven": self._proof.position,
            "damage": self._proof.damage,
        }

    def _campaigns(self) -> Iterable[tuple[str, Any]]:
        listed = self.get("/api/campaigns", limit=_CAMPAIGNS)
        yield "/api/campaigns", listed
        for one in listed["campaigns"]:
            path = f"/api/campaigns/{part(one['run_group_id'])}"
            yield path, self.get(path)

    def _comparisons(self) -> Iterable[tuple[str, Any]]:
        """Each model with each other, and each agent, if there are not too many."""
        board = self.get("/api/board")["contenders"]
        for kind in ("model", "agent"):
            names = sorted({one[kind] for one in board})
            if len(names) <= _COMPARED:
                for pair in itertools.permutations(names, 2):
                    sides = [f"{kind}:{name}" for name in pair]
                    found = self._client.simulate_get("/api/compare", params={"of": sides})
                    if found.status_code == 200:
                        yield f"/api/compare?{urlencode({'of': sides}, doseq=True, quote_via=quote_plus)}", found.json


def subject_of(address: str) -> tuple[str, Sequence[str]] | None:
    """What an answer is about alone: the name of a field of a run, and its values. None if it is about more."""
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    if parts.path == "/api/compare":
        sides = [side.partition(":") for side in query["of"]]
        return sides[0][0], [name for _, _, name in sides]
    if parts.path == "/api/board" and "benchmark" in query:
        return "benchmark_id", query["benchmark"]
    if parts.path.startswith(_BENCHMARK):
        return "benchmark_id", [unquote(parts.path.removeprefix(_BENCHMARK))]
    return None


def part(name: str) -> str:
    """A name as a part of a path, as `encodeURIComponent` writes it in the page."""
    return quote(name, safe="!'()*")
