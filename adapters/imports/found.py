"""What a reader finds: a run that was made elsewhere, in words of ours; and how readers read numbers and times."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..suites.suitekit.foreign import at as at
from ..suites.suitekit.foreign import number as number
from ..suites.suitekit.foreign import rows as rows
from ..suites.suitekit.foreign import table as table

Document = Mapping[str, Any]


class UnreadableResult(Exception):
    """A file that cannot be read as what it seems to be: which, and why."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class ForeignRevision(msgspec.Struct, frozen=True):
    """What a file says of the revision of its task: a version that its authors count, and a revision of its data."""

    version: str = ""
    data: str = ""


class ForeignRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was made elsewhere.

    `name` names the run within its file. `harness` is what made it, and is recorded as the benchmark directory: scores
    of two harnesses are never compared. `benchmark` is the name that the file gives it. Times are ISO 8601 UTC;
    `config` is what the score depends on besides the model. `notes` are what a reader of the score has to know. Without
    a `task_revision`, the file names no version. `filed_under` is the id of one of our benchmarks that measures the
    same; `harness` and `config` are then those of that benchmark. `sought` names the samples of the run for the reader
    of its source; it is not recorded.
    """

    name: str
    harness: str
    benchmark: str
    status: Literal["succeeded", "failed"] = "succeeded"
    reason: str | None = None
    error: str | None = None
    agent: str = ""
    provider: str = ""
    model: str = ""
    score: float | None = None
    unit: str | None = None
    higher_is_better: bool | None = None
    samples: int | None = None
    stderr: float | None = None
    metrics: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    config: dict[str, Any] = {}
    synthetic: bool = False
    started_at: str | None = None
    ended_at: str | None = None
    duration_seconds: float | None = None
    benchmark_version: str | None = None
    provenance: dict[str, Any] = {}
    notes: list[str] = []
    task_revision: ForeignRevision | None = None
    filed_under: str | None = None
    sought: dict[str, Any] = {}

    @property
    def benchmark_id(self) -> str:
        """The benchmark's id: no two names share one."""
        return self.filed_under or identifier(self.benchmark)

    @property
    def options(self) -> dict[str, Any]:
        """`config`, with the benchmark's name if its id does not say it."""
        if self.filed_under:
            return self.config
        config = {name: value for name, value in self.config.items() if name != NAME}
        return config if self.benchmark_id == self.benchmark else {**config, NAME: self.benchmark}


class PassedOver(msgspec.Struct, frozen=True):
    """A part of a file that does not become a run: its name there, and why."""

    name: str
    reason: str


def decode_json(content: bytes) -> Any:
    """The value of a JSON text. NaN and lone surrogates are accepted, since some harnesses and models write them.

    A lone surrogate becomes a question mark, since events are UTF-8. Raises ValueError.
    """
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _printable(json.loads(content))
    except RecursionError as problem:
        raise ValueError("nested too deep") from problem


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value


def without_nonfinite(value: Any) -> Any:
    """A JSON value with null for NaN and Infinity, which no signature can be made of."""
    if isinstance(value, dict):
        return {key: without_nonfinite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nonfinite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


NAME = "benchmark_name"
"""The option that holds the name of an imported benchmark, if its id is not that name."""

_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,78}[a-z0-9])?")
_LIKE_A_DIGEST = re.compile(r".*-[0-9a-f]{10}")


def slug(text: str) -> str:
    """What can be read of a name in the letters of an id. Several names may give one slug."""
    return re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_-")[:80] or "unnamed"


@functools.lru_cache(maxsize=4096)
def identifier(name: str) -> str:
    """A benchmark's id, as manifests have them, made from any name. Two different names are never one id.

    A name that is an id stays as it is. Any other loses something on its way, so a digest of the whole name ends its
    id. A plain name that ends like a digest gets one too: it could be the id of another name.
    """
    if _PLAIN.fullmatch(name) and not _LIKE_A_DIGEST.fullmatch(name):
        return name
    digest = sha256(name.encode(errors="surrogatepass")).hexdigest()[:10]
    readable = re.sub(r"[^a-z0-9_-]+", "_", name.lower()).strip("_-")[:60].rstrip("_-")
    return f"{readable or 'name'}-{digest}"


def count(value: object) -> int | None:
    """A whole number that is not negative, up to the largest that every program can read; None for all else."""
    read = number(value)
    return int(read) if read is not None and 0 <= read <= 2**53 and read.is_integer() else None


def finite(values: Mapping[str, object]) -> dict[str, Any]:
    """Those of the values that are finite numbers."""
    return {name: read for name, value in values.items() if (read := number(value)) is not None}


_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_SCALES = ((1e8, None), (1e11, 1), (1e14, 1e3), (1e17, 1e6))
"""Unix times up to a bound, and how many of their units are a second. No benchmark is older than 1973."""


def moment(value: object) -> str | None:
    """A time as ISO 8601 UTC; None for any other value.

    It may be a text, a compact date such as 20261123, or Unix time in seconds, milliseconds or microseconds. A time
    without a zone is taken for UTC.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    try:
        at = _moment(text)
        if at is None:
            return None
        # The first and the last hours that there are, are in other zones before and after them.
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(text: str) -> datetime | None:
    if re.fullmatch(r"(?:19|20)[0-9]{6,12}", text) and len(text) in _COMPACT:
        return datetime.strptime(text, _COMPACT[len(text)]).replace(tzinfo=UTC)
    if not re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        return datetime.fromisoformat(text)
    seconds = float(text)
    scale = next((scale for bound, scale in _SCALES if seconds < bound), None)
    return None if scale is None else datetime.fromtimestamp(seconds / scale, UTC)


def seconds_between(start: str | None, end: str | None) -> float | None:
    """The time between two moments, in seconds."""
    if start is None or end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not empty."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


_MAX_CHARACTERS = 400


def revision(version: object = None, data: object = None) -> ForeignRevision | None:
    """The revision of a task; None if the file names neither a version nor a revision of the data."""
    known = ForeignRevision(*("" if part is None else bounded_text(part) for part in (version, data)))
    return known if known.version or known.data else None


def bounded_text(value: object) -> str:
    """A value as a short text: one that is longer, or not plain, by its digest."""
    short = bounded(value)
    return short if isinstance(short, str) else msgspec.json.encode(short, order="sorted").decode()


def bounded(value: Any) -> Any:
    """A setting as an option should hold it: one that is longer, such as a whole prompt, by the digest of its JSON."""
    content = msgspec.json.encode(value, order="sorted")
    return value if len(content) <= _MAX_CHARACTERS else f"sha256:{sha256(content).hexdigest()[:16]}"


def all_bounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, each as an option should hold it."""
    return {name: bounded(value) for name, value in values.items()}


_RATIOS = re.compile(r"(acc|accuracy|exact_match|quasi_exact_match|em|f1|mc1|mc2|pass[@_].*|.*_match)(_.*)?")
_QUALIFIERS = re.compile(r"[_ .-](?:rate|score|mean|avg|average|median|total|max|min|p[0-9]+|ms|s|us|ns|seconds|usd)$")
_LESS = re.compile(
    r"(?:.*[_ ./:-])?(?:perplexity|ppl|bits_per_\w+|bpb|bpc|loss|nll|wer|cer|ter|error|errors|err|latency|brier|mae|mse"
    r"|rmse|mape|ece(?:_\w+)?|time|duration|runtime|seconds|cost|tox\w*|hallucinations?|bias|edit_distance|levenshtein"
    r"|time_to_\w+)"
)
_MORE = re.compile(
    r"(?:.*[_ ./:-])?(?:acc|accuracy|match|em|f1|mc1|mc2|mcc|bleu|chrf|chrf\+\+|rouge\w*|recall|precision|auc|auroc"
    r"|score|reward|likelihood|mean|pass|correct|resolved|success|win|bertscore|spearman\w*|pearson\w*|ndcg\w*|map"
    r"|mrr)(?:[_@].*)?"
)


_MAX_NAME = 200
"""A longer name of a metric says nothing: patterns would take time by the square of its length."""


def _name_of(metric: str) -> str:
    return metric.lower() if len(metric) <= _MAX_NAME else ""


def unit_of(metric: str) -> str:
    """The unit of a metric by its name: `ratio` for those that are shares of one, else the name itself."""
    return "ratio" if _RATIOS.fullmatch(_name_of(metric)) else metric


def is_share(score: float) -> bool:
    """Whether a score can be a ratio: sums of floats may miss 0 and 1 by a hair."""
    return -1e-9 <= score <= 1 + 1e-9


def direction_of(metric: str) -> bool | None:
    """Whether more is better of a metric, by its name; None for a name that does not say."""
    full = name = _name_of(metric)
    while (shorter := _QUALIFIERS.sub("", name)) != name:
        if _LESS.fullmatch(name):
            return False
        name = shorter
    return False if _LESS.fullmatch(name) else True if _MORE.fullmatch(full) else None
