"""The events by which people state something that others can check later: plans, tables, and reproduced runs."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from .event import Event, Json
from .runs import TaskRevision

TestKind = Literal["different", "better", "equivalent"]


class RegisteredTask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A benchmark of a plan, with its effective options.

    `comparison_key` is that of `started`: it identifies the benchmark and its options. `revision` is the task revision
    at the registration; None if the benchmark had none. `seed` is the seed of these options, if the plan has seeds.
    """

    id: str
    comparison_key: str
    config: Json = {}
    revision: TaskRevision | None = None
    seed: int | None = None


class RegisteredContender(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An agent with a model, and its name in the plan."""

    name: str
    agent: str
    provider: str
    model: str


class RegisteredTest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The hypothesis as a test: `contender` is compared with `baseline`, both names of contenders of the plan.

    `different` and `better` test the difference, `equivalent` tests whether it is smaller than `margin`, in the unit of
    the score. With `require` = "all", each benchmark has to pass; with "any", one of them, after Holm's correction.
    """

    kind: TestKind
    contender: str
    baseline: str
    margin: float | None = None
    require: Literal["all", "any"] = "all"


class Exclusions(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The failures after which a run may be repeated: their `reasons`, as in `failed`, and the rule in words."""

    reasons: list[str] = []
    rule: str = ""


class Registered(Event, frozen=True, kw_only=True):
    """A person registered a plan before its results exist. Stream: the registration_id.

    Each contender makes `repeats` runs of each of the `benchmarks`. `n` is the number of samples of a run; None: not
    stated. `metric` is `score`, or the name of one of the result's metrics. The test passes if its p-value is below
    `threshold`. After `deadline` (a time), an incomplete plan has been stopped early. `options` are as in `--extra`.
    """

    type: ClassVar[str] = "registered"
    author: str
    hypothesis: str
    benchmarks: list[RegisteredTask]
    contenders: list[RegisteredContender]
    options: Json = {}
    n: int | None = None
    repeats: int = 1
    seeds: list[int] = []
    metric: str = "score"
    test: RegisteredTest
    threshold: float = 0.05
    stopping_rule: str
    deadline: str | None = None
    exclusions: Exclusions = Exclusions()


class RegistrationAmended(Event, frozen=True, kw_only=True):
    """A person changed a registered plan. Stream: the registration_id.

    `changes` holds the new values of the changed fields of `registered`.
    """

    type: ClassVar[str] = "registration_amended"
    author: str
    reason: str
    changes: Json


class PublishedRun(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A run behind a row of a table: its score then, and the position and hash of the event that ended it."""

    run_id: str
    score: float | None
    samples: int | None = None
    seq: int
    hash: str


class PublishedRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of a published table: an agent with a model on a benchmark with its options.

    `rank` is among the rows of the same benchmark and options, `rank_low` and `rank_high` are the ranks that noise
    allows; rows by older versions have neither, and a rank among all contenders of the ledger. `score` is the mean of
    the scores of `runs`, with its standard error and its 95% interval from `low` to `high`. `attempts` are all attempts
    at the work, `completion` the share of successes among those that have ended, and `attempt_ids` their runs.
    `cost_usd` is what `runs` cost, null if the cost of one of them is unknown. `registered` counts the runs that belong
    to a registered plan. `doubts` are the kinds of doubtful runs among `runs`.
    """

    benchmark_id: str
    comparison_key: str
    config: Json = {}
    revision: str
    agent: str
    provider: str
    model: str
    rank: int
    rank_low: int | None = None
    rank_high: int | None = None
    score: float
    unit: str = ""
    higher_is_better: bool = True
    stderr: float | None = None
    low: float | None = None
    high: float | None = None
    interval_method: str | None = None
    samples: int | None = None
    repeats: int = 1
    attempts: int = 0
    successes: int = 0
    own_failures: int = 0
    infrastructure_failures: int = 0
    completion: float | None = None
    cost_usd: float | None = None
    seconds: float | None = None
    registered: int = 0
    doubts: list[str] = []
    runs: list[PublishedRun] = []
    attempt_ids: list[str] = []


class TablePublished(Event, frozen=True, kw_only=True):
    """A person published a table. Stream: the table_id, which is the same for all versions of a name.

    `rules` is the content of the table's file. `rows` are those of the ledger after its first `position` events.
    `registration` is the registered plan that the table names, with its standing and the outcome of its test.
    `checkpoint` is the text of a checkpoint of the ledger at that time.
    """

    type: ClassVar[str] = "published"
    author: str
    name: str
    version: int
    rules: Json = {}
    rows: list[PublishedRow]
    position: int = 0
    registration: Json | None = None
    checkpoint: str = ""


Verdict = Literal["same", "within_noise", "differs"]


class ReproducedRun(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The run that was reproduced: the ledger that it comes from, its id, and the hash of the event that ended it."""

    origin: str
    run: str
    hash: str


class Reproduced(Event, frozen=True, kw_only=True):
    """A person ran the work of another run again. Stream: the run_id of the new run.

    `same`: the scores of all samples are equal. `within_noise`: the difference is not larger than noise explains, or
    provably below a tolerance. `evidence` is the comparison, and what differs between the two runs.
    """

    type: ClassVar[str] = "reproduced"
    of: ReproducedRun
    verdict: Verdict
    evidence: Json = {}
    by: str
