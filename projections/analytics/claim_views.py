"""The views of what people claimed: registered plans, published tables, reproductions (`claims.sql`)."""

from __future__ import annotations

CLAIMS = (
    (
        "registrations",
        "Every registered plan, with its amendments.",
        """
        registration_id VARCHAR its id
        registered_at TIMESTAMP when it was registered, UTC
        author VARCHAR who registered it
        hypothesis VARCHAR the claim in words
        benchmarks_json JSON its benchmarks with their options and revisions
        contenders_json JSON its contenders: name, agent, provider, model
        n BIGINT the samples of a run, where the plan says so
        repeats BIGINT the runs of each contender on each benchmark
        metric VARCHAR score, or the metric that is tested
        test_json JSON the test: kind, contender, baseline, margin, require
        threshold DOUBLE the p-value below which the test passes
        stopping_rule VARCHAR when the runs stop
        deadline VARCHAR the time after which an incomplete plan has been stopped early
        exclusions_json JSON the failures after which a run may be made again
        amendments BIGINT how often it was amended
        amended_at TIMESTAMP when it was amended last, UTC
        seq BIGINT the position of its event
        """,
    ),
    (
        "registered_runs",
        "Every run of the work of a registered plan, and which of them its verdict counts.",
        """
        registration_id VARCHAR the plan
        run_id VARCHAR the run
        benchmark_id VARCHAR the benchmark
        seed BIGINT the seed, where the plan has seeds
        contender VARCHAR the name of the contender in the plan
        repetition VARCHAR which repetition it is
        is_planned BOOLEAN whether the plan has that repetition
        names_plan BOOLEAN whether the run names this plan
        is_earlier BOOLEAN made before the plan was registered
        is_reproduction BOOLEAN made as a check of another run
        status VARCHAR running, succeeded or failed
        reason VARCHAR why it failed, in a word
        is_retracted BOOLEAN whether it was retracted
        value DOUBLE the registered metric
        counts BOOLEAN whether the verdict counts it: the first success of a planned repetition
        """,
    ),
    (
        "published_tables",
        "Every version of every published table.",
        """
        table_id VARCHAR its id, the same for all versions
        name VARCHAR its name
        version BIGINT its version, from 1
        title VARCHAR its title
        published_at TIMESTAMP when it was published, UTC
        author VARCHAR who published it
        rows BIGINT how many rows
        registration_id VARCHAR the registered plan that it names
        standing VARCHAR confirmatory, exploratory or open, as it was then
        outcome VARCHAR the outcome of the registered test then
        rules_json JSON its rules
        seq BIGINT the position of its event
        """,
    ),
    (
        "published_rows",
        "Every row of every version of every published table, as it was published, and what became of its runs.",
        """
        table_id VARCHAR the table
        name VARCHAR its name
        version BIGINT its version
        benchmark_id VARCHAR the benchmark
        comparison_key VARCHAR the task
        rank BIGINT its place
        agent VARCHAR the agent
        provider VARCHAR who serves the model
        model VARCHAR the model
        score DOUBLE the score
        stderr DOUBLE its standard error
        low DOUBLE the lower bound of its 95% interval
        high DOUBLE the upper bound
        unit VARCHAR its unit
        repeats BIGINT how many runs it is the mean of
        attempts BIGINT all attempts
        completion DOUBLE the share of successes among them
        cost_usd DOUBLE what the runs cost in US dollars
        run_ids VARCHAR[] the runs behind it
        retracted BIGINT of them, those that are retracted now
        reproduced BIGINT runs that repeated one of them as a check
        seq BIGINT the position of its event
        """,
    ),
    (
        "reproductions",
        "Every check of a run by another run of the same work.",
        """
        run_id VARCHAR the run that was made as a check
        of_run VARCHAR the id of the run that was checked, in its own ledger
        of_origin VARCHAR that ledger
        of_hash VARCHAR the hash of the event that ended it
        verdict VARCHAR same, within_noise or differs
        author VARCHAR who says so
        reproduced_at TIMESTAMP when it was recorded, UTC
        holds BOOLEAN whether the run that was made as a check is not retracted
        score_of DOUBLE the score of the run that was checked
        score_again DOUBLE the score of the check
        evidence_json JSON the comparison, and what differs between both runs
        seq BIGINT the position of its event
        """,
    ),
)
"""For each view its name, what a row is, and its columns: `name TYPE what it holds`."""
