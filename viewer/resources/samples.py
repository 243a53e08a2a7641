"""The samples of a run: what was asked and answered, one by one, from the `samples.jsonl` that the run left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import falcon
import msgspec

from ...ledger.events import Json
from ...ledger.fold import Run
from ...projections.scores.samples import SamplesUnusable, samples_path
from ...projections.scores.scorers import Verdict, verdicts_of
from ...projections.transcripts.files import Trajectory
from ...projections.transcripts.shapes import transcript_of
from ...projections.transcripts.turns import Transcript
from ..api.answers import answer
from ..api.parameters import AS_OF, OFFSET, BadParameter, Form, Parameter, limit
from ..api.site import Site
from ..index.archive import Head
from ..index.sample_table import OUTCOMES, SORTS, CategoryCounts, Question, SampleTable, Spread
from ..index.trajectories import Found
from .run import find_run

MAX_SAMPLES = 500

_MAX_TEXT = 160
_INPUTS = ("input", "question", "prompt", "instruction", "task")
_OUTPUTS = ("output", "answer", "response", "completion", "prediction")
_EXPECTED = ("expected", "target", "reference", "gold", "ideal")

FILTERS = (
    Parameter("correct", "1: only correct answers, 0: only incorrect ones", "number", minimum=0, maximum=1),
    Parameter("outcome", "only samples with this outcome", "choice", choices=OUTCOMES, is_list=True),
    Parameter("category", "only samples of this category", is_list=True),
    Parameter("error", "only samples that ended in this kind of error", is_list=True),
    Parameter("scorer", "only samples that this scorer judges a failure", is_list=True),
    Parameter("lowest", "only samples with a score of at least this number"),
    Parameter("highest", "only samples with a score of at most this number"),
    Parameter("q", "a text that the sample contains; letter case makes no difference"),
    Parameter(
        "sort",
        "the order: failed (errors, then incorrect answers), file, or a column; - turns it",
        "choice",
        choices=(*SORTS, *(f"-{name}" for name in SORTS)),
    ),
)


class SampleRow(msgspec.Struct, frozen=True):
    """A sample in a list: its numbers, and the beginning of its texts.

    `line` is its line in the file. Several samples have the id if it `is_repeated`. `latency_ms`, `tokens` and
    `cost_usd` are None if they are not known.
    """

    id: str
    line: int
    outcome: str
    score: float | None
    category: str
    error: str
    input: str
    expected: str
    output: str
    latency_ms: float | None
    tokens: float | None
    cost_usd: float | None
    excluded: bool
    is_repeated: bool


class SampleList(msgspec.Struct, frozen=True):
    """A page of samples. `total` counts what the filters keep; the other counts are about the whole file.

    A sample with an `error` is counted in `errors`, and in neither `right` nor `wrong`. `unreadable` lines are not JSON
    objects. With `brief=1`, `rows` has the page, and `samples` is empty. `facets` count what each choice would keep
    beside the other filters; `categories` and `spread` are about the whole file. If the file is not the one that the
    ledger recorded, the list is empty, and `problem` says why.
    """

    samples: list[dict[str, Any]]
    head: Head
    rows: list[SampleRow] = []
    total: int = 0
    right: int = 0
    wrong: int = 0
    errors: int = 0
    unscored: int = 0
    unreadable: int = 0
    facets: dict[str, dict[str, int]] = {}
    categories: list[CategoryCounts] = []
    spread: Spread | None = None
    problem: str = ""


class Samples:
    """The samples that a run recorded in a `samples.jsonl`."""

    about = "The samples of a run: all, or those that the filters keep"
    parameters = Form(
        *FILTERS,
        Parameter("id", "only samples with this id"),
        Parameter("brief", "1: a row with the beginning of each text, 0: whole samples", "number", 0, maximum=1),
        Parameter("facets", "0: without facets, categories and the spread of scores", "number", 1, maximum=1),
        OFFSET,
        limit(100, MAX_SAMPLES),
        AS_OF,
    )
    answer = SampleList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """`offset` and `limit` count samples that the filters keep."""
        asked = self.parameters.read(req)
        question = question_of(asked, "file" if not asked["brief"] else "failed")
        run = find_run(self._site, run_id, asked["as_of"])
        head = self._site.archive.peek(asked["as_of"]).head
        if samples_path(run.artifacts) is None:
            answer(req, resp, SampleList([], head))
            return
        try:
            answer(req, resp, _page(table_of(self._site, run), question, asked, head))
        except SamplesUnusable as problem:
            answer(req, resp, SampleList([], head, problem=str(problem)))

    on_head = on_get


def table_of(site: Site, run: Run) -> SampleTable:
    """The samples of a run. Raises SamplesUnusable."""
    return site.samples.table(
        site.archive.folder(run), run.artifacts, site.archive.workspace.elsewhere, frozenset(run.excluded)
    )


def trajectories_of(site: Site, run: Run) -> Found:
    """The trajectories that a run left in files of its own."""
    return site.trajectories.of(site.archive.folder(run), run.artifacts, site.archive.workspace.elsewhere)


def question_of(asked: dict[str, Any], sort: str) -> Question:
    """What the parameters of FILTERS ask for. Raises BadParameter."""
    outcomes = set(asked["outcome"])
    if asked["correct"] is not None:
        outcomes.add("correct" if asked["correct"] else "incorrect")
    return Question(
        frozenset(outcomes),
        frozenset(asked["category"]),
        frozenset(asked["error"]),
        frozenset(asked["scorer"]),
        asked["q"] or "",
        _number("lowest", asked["lowest"]),
        _number("highest", asked["highest"]),
        asked["sort"] or sort,
    )


def _number(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadParameter(name, f"'{text}' is not a number")
    return number


def _page(table: SampleTable, question: Question, asked: dict[str, Any], head: Head) -> SampleList:
    order: Sequence[int] = table.order(question)
    if asked["id"] is not None:
        wanted = set(table.places(asked["id"]))
        order = [at for at in order if at in wanted]
    page = order[asked["offset"] : asked["offset"] + asked["limit"]]
    samples = table.read(page)
    counts = [table.outcomes.count(at) for at in range(len(OUTCOMES))]
    whole = bool(asked["facets"])
    return SampleList(
        [] if asked["brief"] else samples,
        head,
        [row_of(table, at, sample) for at, sample in zip(page, samples, strict=True)] if asked["brief"] else [],
        len(order),
        right=counts[OUTCOMES.index("correct")],
        wrong=counts[OUTCOMES.index("incorrect")],
        errors=counts[OUTCOMES.index("error")],
        unscored=counts[OUTCOMES.index("unscored")],
        unreadable=table.unreadable,
        facets=table.facets(question) if whole else {},
        categories=table.by_category() if whole else [],
        spread=table.spread() if whole else None,
    )


def row_of(table: SampleTable, at: int, sample: Json) -> SampleRow:
    """A sample in a list."""
    error = sample.get("error")
    return SampleRow(
        table.ids[at],
        table.line(at),
        OUTCOMES[table.outcomes[at]],
        _known(table.scores[at]),
        table.categories.names[table.categories.numbers[at]],
        _brief(error) if error else "",
        _brief(_first(sample, _INPUTS)),
        _brief(_first(sample, _EXPECTED)),
        _brief(_first(sample, _OUTPUTS)),
        _known(table.latencies[at]),
        _known(table.tokens[at]),
        _known(table.costs[at]),
        bool(table.excluded[at]),
        len(table.places(table.ids[at])) > 1,
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _first(sample: Json, names: Sequence[str]) -> Any:
    return next((sample[name] for name in names if sample.get(name) not in (None, "")), "")


def _brief(value: Any) -> str:
    """The beginning of a text, or of what a list of messages says last."""
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        last = value[-1].get("content", value[-1])
        value = last if isinstance(last, str) else value
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return " ".join(text[: 4 * _MAX_TEXT].split())[:_MAX_TEXT]


class Neighbour(msgspec.Struct, frozen=True):
    """The sample before or after another in a list. `line` is None if its id is enough to find it."""

    id: str
    line: int | None


class OneSampleAnswer(msgspec.Struct, frozen=True):
    """Everything about a sample.

    `sample` is the object as it was written; `verdicts` are what its scorers say; `transcript` is the conversation in
    it, made of the fields `told_in`, or in a file of trajectories (`transcript_path`). `lines` has the line of each
    sample with this id: several, if the question was asked several times. `index` counts from 0 in the list that the
    filters make, and is None if they leave the sample out. If only a trajectory has that name,
    `sample` is None. If the samples cannot be used, `problem` says why.
    """

    id: str
    head: Head
    sample: dict[str, Any] | None = None
    row: SampleRow | None = None
    verdicts: list[Verdict] = []
    transcript: Transcript | None = None
    transcript_path: str = ""
    transcript_more: dict[str, Any] = {}
    told_in: list[str] = []
    lines: list[int] = []
    index: int | None = None
    total: int = 0
    previous: Neighbour | None = None
    next: Neighbour | None = None
    problem: str = ""


class OneSample:
    """A sample with its transcript and the verdicts of its scorers."""

    about = "One sample: its fields, its transcript turn by turn, and what its scorers say"
    parameters = Form(
        Parameter("id", "the id of the sample, or the name of a trajectory", default=""),
        Parameter("line", "its line in the file, if several samples have the id, or none", "number", minimum=1),
        *FILTERS,
        AS_OF,
    )
    answer = OneSampleAnswer

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """The filters and the order are those of the list: they decide which sample is the next one."""
        asked = self.parameters.read(req)
        run = find_run(self._site, run_id, asked["as_of"])
        head = self._site.archive.peek(asked["as_of"]).head
        answer(req, resp, find_sample(self._site, run, asked["id"], asked["line"], head, question_of(asked, "failed")))

    on_head = on_get


def find_sample(
    site: Site, run: Run, name: str, line: int | None, head: Head, question: Question | None = None
) -> OneSampleAnswer:
    """A sample of a run, or a trajectory with that name. Raises HTTPNotFound."""
    trajectories = trajectories_of(site, run)
    problem = ""
    try:
        table = table_of(site, run)
        at = table.find(name, line)
        if at is not None:
            return _whole(table, at, trajectories, head, question)
    except SamplesUnusable as reason:
        problem = str(reason) if samples_path(run.artifacts) else ""
    found = trajectories.named(name)
    if found is not None:
        return OneSampleAnswer(
            name,
            head,
            transcript=found.transcript,
            transcript_path=found.path,
            transcript_more=found.more,
            problem=problem,
        )
    if problem:
        return OneSampleAnswer(name, head, problem=problem)
    shown = f"in line {line}" if line is not None else f"'{name}'"
    raise falcon.HTTPNotFound(title="no such sample", description=f"the run has no sample {shown}")


def _whole(table: SampleTable, at: int, trajectories: Found, head: Head, question: Question | None) -> OneSampleAnswer:
    [sample] = table.read([at])
    transcript, told_in = transcript_of(sample)
    path, more = "", {}
    if transcript is None and (found := trajectories.named(table.ids[at])) is not None:
        transcript, path, more = found.transcript, found.path, found.more
    order: Sequence[int] = table.order(question) if question is not None else ()
    index = next((place for place, one in enumerate(order) if one == at), None)

    def neighbour(place: int) -> Neighbour | None:
        if index is None or not 0 <= place < len(order):
            return None
        name = table.ids[order[place]]
        return Neighbour(name, table.line(order[place]) if not name or len(table.places(name)) > 1 else None)

    return OneSampleAnswer(
        table.ids[at],
        head,
        sample=sample,
        row=row_of(table, at, sample),
        verdicts=verdicts_of(sample),
        transcript=transcript,
        transcript_path=path,
        transcript_more=more,
        told_in=sorted(told_in),
        lines=[table.line(place) for place in table.places(table.ids[at])],
        index=index,
        total=len(order),
        previous=neighbour((index or 0) - 1),
        next=neighbour((index or 0) + 1),
    )


class TrajectoryRow(msgspec.Struct, frozen=True):
    """A trajectory in a list: its name, its file, its format, its turns, and the sums of what they report."""

    name: str
    path: str
    shape: str
    turns: int
    calls: int
    tokens: float | None
    cost_usd: float | None


class TrajectoryList(msgspec.Struct, frozen=True):
    """The trajectories that a run left in files of its own. `notes` name the files that were not read, and why."""

    trajectories: list[TrajectoryRow]
    total: int
    notes: list[str]
    head: Head


class Trajectories:
    """The trajectories of a run: `/api/runs/{run_id}/sample` gives one of them by its name."""

    about = "The trajectories that a run left in files such as trajectories.jsonl"
    parameters = Form(
        Parameter("alone", "1: only those that no sample of the run has the name of", "number", 0, maximum=1),
        OFFSET,
        limit(100, MAX_SAMPLES),
        AS_OF,
    )
    answer = TrajectoryList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """In the order of the files."""
        asked = self.parameters.read(req)
        run = find_run(self._site, run_id, asked["as_of"])
        head = self._site.archive.peek(asked["as_of"]).head
        found = trajectories_of(self._site, run)
        trajectories = found.trajectories
        if asked["alone"]:
            trajectories = self._alone(run, trajectories)
        page = trajectories[asked["offset"] : asked["offset"] + asked["limit"]]
        rows = [
            TrajectoryRow(
                one.name,
                one.path,
                one.transcript.shape,
                len(one.transcript.turns) + one.transcript.left_out,
                sum(part.kind == "call" for turn in one.transcript.turns for part in turn.parts),
                _sum([value for turn in one.transcript.turns for value in (turn.input_tokens, turn.output_tokens)]),
                _sum([turn.cost_usd for turn in one.transcript.turns]),
            )
            for one in page
        ]
        answer(req, resp, TrajectoryList(rows, len(trajectories), found.notes, head))

    on_head = on_get

    def _alone(self, run: Run, trajectories: list[Trajectory]) -> list[Trajectory]:
        try:
            table = table_of(self._site, run)
        except SamplesUnusable:
            return trajectories
        return [one for one in trajectories if not table.places(one.name)]


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
