"""Queries to begin with: examples by what people want to know, and those that a workspace keeps in `queries/*.sql`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from ...ledger.run_files import NotReadable, open_inside

_MAX_SAVED = 200
_MAX_BYTES = 100_000


class Example(msgspec.Struct, frozen=True):
    """A query with its title. `kind`: `saved` queries are those of the workspace."""

    title: str
    sql: str
    kind: Literal["example", "saved"] = "example"


EXAMPLES = [
    Example(
        "The leaderboard",
        "SELECT benchmark_id, agent, model, unit, stderr, mean FROM leaderboard ORDER BY benchmark_id, rank",
    ),
    Example(
        "Cost of each solved sample",
        "SELECT benchmark_id, agent, model,\n"
        "  sum((usage_json ->> '$.cost_usd')::DOUBLE) / sum(score * samples) AS cost_per_solved\n"
        "FROM runs\n"
        "WHERE counts AND unit IN ('ratio', 'accuracy') AND score > 0\n"
        "GROUP BY ALL ORDER BY benchmark_id, cost_per_solved",
    ),
    Example(
        "Spend by day",
        "SELECT ended_at::TIMESTAMP::DATE AS day, sum((usage_json ->> '$.cost_usd')::DOUBLE) AS cost_usd\n"
        "FROM runs WHERE ended_at IS NOT NULL GROUP BY day ORDER BY day",
    ),
    Example(
        "Spend by model",
        "SELECT model, count(*) AS runs, sum((usage_json ->> '$.cost_usd')::DOUBLE) AS cost_usd\n"
        "FROM runs GROUP BY model ORDER BY cost_usd DESC",
    ),
    Example(
        "Samples that no model solves",
        "SELECT benchmark_id, sample_id, count(DISTINCT model) AS models, max(s.score) AS best\n"
        "FROM samples s JOIN runs USING (run_id) WHERE counts\n"
        "GROUP BY ALL HAVING best = 0 ORDER BY benchmark_id, models DESC",
    ),
    Example(
        "Samples that come out differently (flaky)",
        "SELECT benchmark_id, agent, model, sample_id, count(*) AS runs, avg(s.score) AS mean\n"
        "FROM samples s JOIN runs USING (run_id) WHERE counts\n"
        "GROUP BY ALL HAVING runs > 2 AND min(s.score) < max(s.score) ORDER BY abs(mean - 0.5), sample_id LIMIT 100",
    ),
    Example(
        "Samples with an error of the provider",
        "SELECT benchmark_id, model, run_id, sample_id, sample_json ->> '$.error' AS error\n"
        "FROM samples JOIN runs USING (run_id)\n"
        "WHERE sample_json ->> '$.error' IS NOT NULL ORDER BY started_at DESC",
    ),
    Example(
        "Scores by category",
        "SELECT benchmark_id, model, avg(s.score) AS mean,\n"
        "  coalesce(sample_json ->> '$.category', sample_json ->> '$.metadata.category') AS category\n"
        "FROM samples s JOIN runs USING (run_id) WHERE counts\n"
        "GROUP BY ALL HAVING category IS NOT NULL ORDER BY benchmark_id, category, mean DESC",
    ),
    Example(
        "How each record was reached",
        "SELECT ended_at, benchmark_id, model, best_before, score FROM score_history WHERE is_record ORDER BY ended_at",
    ),
    Example(
        "Failures by reason",
        "SELECT reason, count(*) AS runs FROM runs WHERE status = 'failed' GROUP BY reason ORDER BY runs DESC",
    ),
    Example(
        "Share of attempts that succeed",
        "SELECT benchmark_id, agent, model, attempts, completion FROM attempts ORDER BY completion, attempts DESC",
    ),
    Example(
        "What failures cost",
        "SELECT model, sum(own_failures + infrastructure_failures) AS failures, sum(cost_lost) AS cost_usd,\n"
        "  sum(seconds_lost) / 60 AS minutes\n"
        "FROM attempts GROUP BY model ORDER BY minutes DESC",
    ),
    Example(
        "Slowest runs",
        "SELECT run_id, benchmark_id, model, duration_seconds FROM runs\n"
        "WHERE status = 'succeeded' ORDER BY duration_seconds DESC LIMIT 50",
    ),
    Example(
        "Models that answered as another one",
        "SELECT provider, model, served_model, min(started_at) AS first, max(started_at) AS last, count(*) AS runs\n"
        "FROM runs WHERE served_model IS NOT NULL GROUP BY ALL ORDER BY model, first",
    ),
    Example(
        "Campaigns and what they came to",
        "SELECT run_group_id, created_at, reason, succeeded, failed, skipped, incompatible, run_seconds\n"
        "FROM campaigns ORDER BY created_at DESC",
    ),
    Example(
        "Registered plans and their runs",
        "SELECT registration_id, hypothesis, contender, count(*) AS attempts, count_if(status = 'failed') AS failed,\n"
        "  count_if(r.counts) AS counted, avg(value) FILTER (r.counts) AS mean\n"
        "FROM registrations JOIN registered_runs r USING (registration_id)\n"
        "GROUP BY ALL ORDER BY registration_id, contender",
    ),
    Example(
        "Published rows, and what became of their runs",
        "SELECT name, version, benchmark_id, rank, agent, model, score, attempts, retracted, reproduced\n"
        "FROM published_rows ORDER BY name, version DESC, benchmark_id, rank",
    ),
    Example(
        "Reproductions",
        "SELECT reproduced_at, of_run, author, verdict, score_of, score_again\n"
        "FROM reproductions WHERE holds ORDER BY seq DESC",
    ),
    Example(
        "Corrections by people",
        "SELECT seq, recorded_at, type, stream, data ->> '$.author' AS author,\n"
        "  coalesce(data ->> '$.reason', data ->> '$.note') AS why\n"
        "FROM events WHERE type IN ('annotated', 'retracted', 'reinstated') ORDER BY seq DESC",
    ),
]


def saved_queries(root: Path) -> list[Example]:
    """The queries in `queries/*.sql` of a workspace, without unreadable files. A first line `-- …` is the title."""
    folder = root / "queries"
    found = []
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix == ".sql")[:_MAX_SAVED]
    except OSError:
        return []
    for name in names:
        try:
            with open_inside(folder, name) as file:
                text = file.read(_MAX_BYTES + 1).decode()
        except (NotReadable, OSError, UnicodeDecodeError):
            continue
        if text.strip() and len(text) <= _MAX_BYTES:
            first = text.lstrip().partition("\n")[0]
            title = first.removeprefix("--").strip() if first.startswith("--") else ""
            found.append(Example(title or name.removesuffix(".sql"), text, "saved"))
    return found
