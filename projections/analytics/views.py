"""What there is to ask for: the views with their columns, their types, and what they hold."""

from __future__ import annotations

import msgspec

from .claim_views import CLAIMS


class Column(msgspec.Struct, frozen=True):
    """A column: its name, its DuckDB type, and what it holds."""

    name: str
    type: str
    about: str


class View(msgspec.Struct, frozen=True):
    """A view, what a row of it is, and its columns in their order."""

    name: str
    about: str
    columns: list[Column]


def describe() -> list[View]:
    """Every view that can be asked, the broadest first."""
    return list(_VIEWS)


def _view(name: str, about: str, columns: str) -> View:
    """A view of a table in which each line is `name TYPE what it holds`."""
    return View(name, about, [Column(*line.split(maxsplit=2)) for line in columns.strip().splitlines()])


_STANDING = """
benchmark_id VARCHAR the benchmark
comparison_key VARCHAR the task
rank BIGINT its place on that task by the mean, from 1
rank_low BIGINT the first rank that it may have, as far as scores differ by more than noise
rank_high BIGINT the last rank that it may have
agent VARCHAR the agent
provider VARCHAR who serves the model
model VARCHAR the model
mean DOUBLE the mean of the repeats of one campaign
stderr DOUBLE its standard error; none if nothing is known of the noise, or if the scores show no spread
stderr_of VARCHAR what it comes from: samples, or the scatter of the repeats
low DOUBLE the lower bound of the 95% interval of the mean
high DOUBLE its upper bound
interval_method VARCHAR wilson for a score within bounds, t for another one
repeats BIGINT how many repetitions
unit VARCHAR the unit
higher_is_better BOOLEAN the direction
runs BIGINT how many runs count
latest_score DOUBLE the newest score
latest_run_id VARCHAR its run
latest_at TIMESTAMP when that ended, UTC
best_score DOUBLE the best score
best_run_id VARCHAR its run
reference_label VARCHAR the reference that holds, where it has that unit and direction
reference_value DOUBLE its score
delta_to_reference DOUBLE the mean minus the reference
extra_config_json JSON the options of the task
"""

_VIEWS = (
    _view(
        "events",
        "Every event of the ledger.",
        """
        seq BIGINT its position in the ledger
        recorded_at TIMESTAMP when it was recorded, UTC
        type VARCHAR what happened, such as finished
        stream VARCHAR the run, group or benchmark that it is about
        version BIGINT its position in its stream, from 1
        data JSON what it says; docs/events.md
        """,
    ),
    _view(
        "runs",
        "Every run: what it was asked, what it came to, and by whom.",
        """
        run_id VARCHAR its id
        run_group_id VARCHAR the campaign that it belongs to
        benchmark_id VARCHAR the benchmark
        benchmark_directory VARCHAR the directory of the benchmark
        signature VARCHAR the digest of benchmark, agent, provider, model and options: the same work has the same
        status VARCHAR running, succeeded or failed
        attempt BIGINT which try at this work it is, from 1
        agent VARCHAR the agent
        provider VARCHAR who serves the model
        model VARCHAR the model
        extra_config_json JSON the effective options
        started_at TIMESTAMP when it began, UTC
        ended_at TIMESTAMP when it ended, UTC
        duration_seconds DOUBLE how long it took
        command_json JSON the command line
        cwd VARCHAR the folder that it ran in
        stdout_path VARCHAR its output
        stderr_path VARCHAR its other output
        result_json_path VARCHAR the result file
        score DOUBLE the score, in its unit
        unit VARCHAR the unit, such as ratio or s
        higher_is_better BOOLEAN the direction of the score
        metrics_json JSON further numbers of the result
        artifacts_json JSON its files with their sizes and digests
        error VARCHAR why it failed
        high_score_label VARCHAR whose reference score held when it ended
        high_score_value DOUBLE that score
        delta_to_high_score DOUBLE the score minus that one
        benchmark_version VARCHAR the version of the benchmark, where it has one
        benchmarks_commit VARCHAR the commit of the workspace
        eliza_commit VARCHAR the commit of the workspace's eliza
        eliza_version VARCHAR its version
        created_at TIMESTAMP when it was recorded first, UTC
        comparison_key VARCHAR the digest of benchmark, options and task revision; equivalent revisions have one
        reason VARCHAR why it failed, in a word
        return_code BIGINT the exit code
        samples BIGINT how many samples the score is of
        stderr DOUBLE the standard error of the score
        usage_json JSON tokens, calls, latencies and cost
        high_score_source VARCHAR where the reference comes from
        synthetic BOOLEAN made without a model: a mock, a dry run
        late BOOLEAN reported after it was given up
        notes_json JSON remarks of its supervision
        recovered BOOLEAN closed by another orchestrator than its own
        retracted_json JSON who took it back, and why
        annotations_json JSON remarks of people
        imported_json JSON where it was imported from
        progress_json JSON how far it is
        last_seen_at TIMESTAMP its last sign of life, UTC
        lease_seconds DOUBLE for how long that holds
        owner_json JSON the process that ran it
        provenance_json JSON versions, machine and environment
        first_seq BIGINT the position of its first event
        last_seq BIGINT the position of its last event
        ended_seq BIGINT the position of the event that ended it
        task_revision_json JSON what it measured with: a digest and its parts; null for runs of older versions
        served_model VARCHAR the model that the API says has answered
        options_key VARCHAR the digest of benchmark and options alone
        registration VARCHAR the id of the registered plan that it belongs to
        cancel_requested_json JSON who asked to end it, and why
        excluded_json JSON the ids of the samples that a person excluded
        scorer_json JSON the later scorer that gave the score: its name and digest
        rescores_json JSON the scores of all later scorers, in their order
        logs_json JSON its logs as they were at its end: path, size and SHA-256 of each
        reproduces VARCHAR the id of the run whose work it repeats as a check
        original_score DOUBLE the score as recorded first, if a person excluded samples or a later scorer gave another
        original_unit VARCHAR the unit of that score
        original_higher_is_better BOOLEAN the direction of that score
        input_tokens BIGINT tokens read
        output_tokens BIGINT tokens written
        total_tokens BIGINT both
        cached_tokens BIGINT of the tokens read, those from a cache
        call_count BIGINT calls of the model
        counts BOOLEAN whether its score counts: a success, not retracted, imported, synthetic, late or a reproduction
        """,
    ),
    _view(
        "metrics",
        "Every single metric of every run, in long form.",
        """
        run_id VARCHAR the run
        benchmark_id VARCHAR the benchmark
        agent VARCHAR the agent
        provider VARCHAR who serves the model
        model VARCHAR the model
        status VARCHAR the run's status
        counts BOOLEAN whether the run's score counts
        ended_at TIMESTAMP when the run ended, UTC
        metric VARCHAR the name, with dots between the levels
        value DOUBLE the value, where it is a number
        type VARCHAR the JSON type of the value
        text VARCHAR the value as text
        """,
    ),
    _view(
        "samples",
        "Every sample of the runs whose samples.jsonl is the file that was recorded.",
        """
        run_id VARCHAR the run
        number BIGINT its line in the file, from 1
        sample_id VARCHAR its id: the same question has the same one in every run
        score DOUBLE its score
        correct BOOLEAN whether it was right, where the file says so
        sample_json JSON the line: input, output and whatever else the benchmark writes
        excluded BOOLEAN whether a person excluded it, so that the run's score is without it
        """,
    ),
    _view(
        "high_scores",
        "Every published reference score; of a benchmark, the last one holds.",
        """
        benchmark_id VARCHAR the benchmark
        label VARCHAR whose score it is
        value DOUBLE the score
        unit VARCHAR its unit
        higher_is_better BOOLEAN its direction
        source VARCHAR where it is published
        date VARCHAR when it was reached, as the source says
        author VARCHAR who published it here; none: it stands in the manifest
        published_at TIMESTAMP when it was published here, UTC
        seq BIGINT the position of its event
        merged BOOLEAN it came with a ledger that was merged into this one: it holds only where none was published here
        """,
    ),
    _view(
        "equivalences",
        "Declarations that two task revisions measure the same, and withdrawals; the last one of a pair holds.",
        """
        benchmark_id VARCHAR the benchmark
        one VARCHAR the smaller digest of the two revisions
        other VARCHAR the other revision
        is_declared BOOLEAN whether they were declared to be equivalent, or this was withdrawn
        author VARCHAR who said so
        reason VARCHAR why
        declared_at TIMESTAMP when it was recorded, UTC
        seq BIGINT the position of its event
        merged BOOLEAN it came with a ledger that was merged into this one: it does not count here
        """,
    ),
    _view(
        "score_history",
        "Every run that counts, with the reference that held when it ended, and the best of its own kind until then.",
        """
        run_id VARCHAR the run
        run_group_id VARCHAR its campaign
        benchmark_id VARCHAR the benchmark
        comparison_key VARCHAR scores with the same one can be compared
        agent VARCHAR the agent
        provider VARCHAR who serves the model
        model VARCHAR the model
        started_at TIMESTAMP when it began, UTC
        ended_at TIMESTAMP when it ended, UTC
        ended_seq BIGINT the position of the event that ended it: it decides which reference held
        score DOUBLE the score
        stderr DOUBLE its standard error
        unit VARCHAR its unit
        higher_is_better BOOLEAN its direction
        reference_label VARCHAR the reference that held then
        reference_value DOUBLE its score
        reference_unit VARCHAR its unit
        reference_source VARCHAR where it is published
        reference_published_at TIMESTAMP since when it was known here, UTC
        reference_measures BOOLEAN whether it has the unit and direction of the score
        delta_to_reference DOUBLE the score minus the reference, where it measures
        beats_reference BOOLEAN whether the score is better than it
        best_before DOUBLE the best score of the same task before it, by anybody
        runs_before BIGINT how many runs of the same task counted before it
        delta_to_best DOUBLE the score minus that best
        is_record BOOLEAN whether it is better than all before it
        """,
    ),
    _view(
        "leaderboard",
        "Each agent with each model on each task, by the newest run with the repeats of its campaign: mean and rank.",
        _STANDING,
    ),
    _view(
        "leaderboard_of_repeats",
        "The same by the newest campaign that has several repeats; without one, as in leaderboard.",
        _STANDING,
    ),
    _view(
        "campaigns",
        "Every group of runs that one command made.",
        """
        run_group_id VARCHAR its id
        created_at TIMESTAMP when it began, UTC
        finished_at TIMESTAMP when it ended, UTC
        created_by VARCHAR the command that made it
        reason VARCHAR how it ended
        agent VARCHAR the agent that was asked for
        provider VARCHAR the provider that was asked for
        model VARCHAR the model that was asked for
        runs BIGINT how many runs
        succeeded BIGINT of them, those that succeeded
        failed BIGINT of them, those that failed
        running BIGINT of them, those under way
        counting BIGINT of them, those whose score counts
        skipped BIGINT pieces of work that were done already
        incompatible BIGINT pieces of work that could not run there
        run_seconds DOUBLE what its runs took, together
        total_tokens BIGINT the tokens of its runs
        request_json JSON what was asked for
        benchmarks_json JSON the benchmarks
        """,
    ),
    _view(
        "attempts",
        "Out of how many: all attempts of each agent with each model at each task, and what the failures took.",
        """
        benchmark_id VARCHAR the benchmark
        comparison_key VARCHAR the task
        agent VARCHAR the agent
        provider VARCHAR who serves the model
        model VARCHAR the model
        attempts BIGINT all runs that are not retracted, imported, synthetic or reproductions
        running BIGINT of them, those under way
        successes BIGINT of them, those that succeeded
        own_failures BIGINT failures that the benchmark or the model brought about
        infrastructure_failures BIGINT failures of the environment, the orchestrator or the provider
        seconds_lost DOUBLE what the failures took
        cost_lost DOUBLE what the failures cost in US dollars, as far as it is known
        unpriced BIGINT failures whose cost is not known
        completion DOUBLE the share of successes among the attempts that have ended
        """,
    ),
    _view(
        "costs",
        "What each agent with each model cost on each task.",
        """
        benchmark_id VARCHAR the benchmark
        comparison_key VARCHAR the task
        agent VARCHAR the agent
        provider VARCHAR who serves the model
        model VARCHAR the model
        runs BIGINT all runs that are not retracted, imported, synthetic or reproductions
        successes BIGINT of them, those that succeeded
        cost_usd DOUBLE what they cost in US dollars, as far as it is known
        cost_of_successes DOUBLE of it, what the successes cost
        cost_of_failures DOUBLE of it, what the failures cost
        cost_per_success DOUBLE the whole cost divided by the number of successes
        unpriced BIGINT runs that have ended and whose cost is not known
        run_seconds DOUBLE what the runs took
        total_tokens BIGINT the tokens of the runs
        """,
    ),
    *(_view(*one) for one in CLAIMS),
)
