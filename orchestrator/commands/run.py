"""`run`: what a campaign is made of, from the command line."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType

import click

from ...adapters.adapter import Adapter
from ...adapters.discovery import discover
from ...adapters.manifest import Resources
from ...ledger.codec import line_of
from ...ledger.events import Json, Record, Request
from ...ledger.fold import Run
from ...ledger.history import History
from ...ledger.identity import liveness
from ...ledger.ledger import Ledger
from ...projections.workspace import Workspace
from ..again import extra_of, find_original, repetition_of, the_same
from ..campaign import Campaign, Result, conduct
from ..capacity import UNRATIONED, this_machine
from ..changes import Change, find_changes
from ..claim import Policy, explain, judge
from ..datasets import update_all
from ..display import Display, format_score, open_display
from ..endpoints import LOCAL, EndpointSource
from ..execution import Cancellation
from ..local_model import EMBEDDED, LocalModelError, model_label
from ..plan import PlannedRun, choose, make_plan, parse_extra
from ..provenance import repository
from ..providers import NO_MODEL, Endpoint, find_provider, resolve
from ..recovery import provably_dead, recover
from ..redaction import Redactor, names_a_secret, secrets_of
from ..supervision import Limits, Retries
from ..usage import UsageError
from .place import Place, in_place, note
from .table import print_table

MODEL = "qwen3"
"""The model without --model, as users of the first orchestrator know it."""


SECONDS = click.FloatRange(min=0, min_open=True)


class _ManyValues(click.Command):
    """Lets `--benchmarks` take several values behind one another."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        expanded: list[str] = []
        taking = False
        for argument in args:
            if argument.startswith("-"):
                taking = argument == "--benchmarks"
                if not taking:
                    expanded.append(argument)
            elif taking:
                expanded += ["--benchmarks", argument]
            else:
                expanded.append(argument)
        return super().parse_args(ctx, expanded)


@click.command(cls=_ManyValues)
@click.option("--benchmarks", multiple=True, metavar="ID...", help="Which; several with spaces or commas between.")
@click.option("--all", "everything", is_flag=True, help="Every benchmark there is.")
@click.option("--agent", metavar="LABEL", help="The agent to run (default: each benchmark's own).")
@click.option("--provider", default="groq", show_default=True, help="Where the model answers; see: providers.")
@click.option("--base-url", metavar="URL", help="Another address of the provider.")
@click.option(
    "--model", help=f"The model, or a .gguf file with --provider local.  [default: {MODEL}; local: {EMBEDDED}]"
)
@click.option("--extra", default="{}", metavar="JSON", help="Options of the benchmarks, and per_benchmark options.")
@click.option("--rerun-failed", is_flag=True, help="Run what failed last time or never ran.")
@click.option("--force", is_flag=True, help="Run even what has succeeded.")
@click.option("--rerun-changed", is_flag=True, help="Run what succeeded with another manifest or commit.")
@click.option("--again", metavar="RUN_ID", help="Repeat this run as it was: its benchmark, agent, model and options.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="So many at once.")
@click.option("--repeats", type=click.IntRange(min=1), default=1, show_default=True, help="So many of each.")
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="End a run after so long, whatever its manifest says.")
@click.option("--stall", type=SECONDS, metavar="SECONDS", help="End a run after so long without output or progress.")
@click.option("--retries", type=click.IntRange(0, 100), default=0, show_default=True, help="Try again what may pass.")
@click.option("--retry-delay", type=SECONDS, default=2.0, show_default=True, help="Seconds to the first retry.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--quiet", is_flag=True, help="Tell of failures only.")
@click.option("--explain", "explained", is_flag=True, help="Say what decided, for each.")
@click.option("--json", "as_json", is_flag=True, help="Print the events as they are recorded, one a line.")
@in_place
def command(
    place: Place,
    benchmarks: Sequence[str],
    everything: bool,
    agent: str | None,
    provider: str,
    base_url: str | None,
    model: str | None,
    extra: str,
    rerun_failed: bool,
    force: bool,
    rerun_changed: bool,
    again: str | None,
    jobs: int,
    repeats: int,
    timeout: float | None,
    stall: float | None,
    retries: int,
    retry_delay: float,
    dry_run: bool,
    quiet: bool,
    explained: bool,
    as_json: bool,
) -> int:
    """Run benchmarks, each unless the ledger holds a success of the same work.

    The same work means: benchmark, agent, provider, model and effective options. Exit code 1 where a run failed.
    """
    if rerun_failed and force:
        raise UsageError("--rerun-failed and --force exclude each other")
    policy: Policy = "force" if force or again else "rerun_failed" if rerun_failed else "once"
    store = place.store()
    ledger = Ledger(store, told=_print_events if as_json else lambda _: None)
    original = find_original(ledger, again) if again else None
    if original:
        if benchmarks or everything or agent or extra != "{}" or repeats != 1:
            raise UsageError(
                "--again takes all from that run: leave out --benchmarks, --all, --agent, --extra, --repeats"
            )
        benchmarks, agent = [original.benchmark_id], original.agent
        if original.provider != NO_MODEL:
            provider, model = original.provider, model or original.model
    found = discover(place.workspace.root)
    display = open_display(is_quiet=quiet)
    with contextlib.closing(display):
        for problem in found.problems:
            display.note(f"broken manifest: {problem}")
        adapters = _chosen(benchmarks, everything, found.adapters)
        endpoint = resolve(find_provider(provider), base_url=base_url, environ=os.environ)
        model = _model(endpoint, model)
        asked = extra_of(original) if original else parse_extra(extra)
        is_rationed = any(adapter.manifest.resources != Resources() for adapter in adapters)
        capacity = this_machine(os.environ) if is_rationed else UNRATIONED
        plan = make_plan(
            adapters,
            known=found.adapters,
            agent=agent,
            endpoint=endpoint,
            model=_label(endpoint, model),
            extra=asked,
            repeats=repetition_of(original) if original else repeats,
            environ=os.environ,
            capacity=capacity,
        )
        if original:
            plan = [the_same(original, plan)]
        changes: Mapping[str, Change] = {}
        if rerun_changed:
            changes = find_changes(ledger.history(), plan, repository(place.workspace.root))
        if dry_run:
            _show_plan(ledger.history(), plan, policy, changes)
            return 0
        request = Request(
            benchmarks=[adapter.id for adapter in adapters],
            agent=agent,
            provider=endpoint.provider.name,
            model=plan[0].model,
            extra=_without_secrets(asked, adapters),
            flags={
                "rerun_failed": rerun_failed,
                "force": force,
                **({"rerun_changed": True} if rerun_changed else {}),
                **({"again": again} if again else {}),
                "jobs": jobs,
                "repeats": repeats,
                "retries": retries,
                **{name: value for name, value in (("timeout", timeout), ("stall", stall)) if value is not None},
            },
        )
        campaign = Campaign(
            workspace=place.workspace,
            request=request,
            plan=plan,
            policy=policy,
            jobs=jobs,
            environ=os.environ,
            capacity=capacity,
            explain=explained,
            changes=changes,
            limits=Limits(timeout, stall),
            retries=Retries(retries, retry_delay),
        )
        _recover(ledger, place.workspace, found.adapters, display)
        result = _conduct(campaign, ledger, endpoint, model, display)
    update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    if not as_json and not quiet:
        _report(result)
    if result.interrupted:
        return 130
    return 1 if result.counts.failed else 0


def _print_events(records: list[Record]) -> None:
    # One write: the events of several jobs come from several threads.
    sys.stdout.write("".join(f"{line_of(record).decode()}\n" for record in records))
    sys.stdout.flush()


def _chosen(asked: Sequence[str], everything: bool, known: dict[str, Adapter]) -> list[Adapter]:
    ids = [benchmark_id for value in asked for benchmark_id in value.split(",") if benchmark_id]
    if everything and ids:
        raise UsageError("--all and --benchmarks exclude each other")
    if not everything and not ids:
        raise UsageError("which benchmarks? Name them with --benchmarks, or say --all; list-benchmarks shows them")
    return list(known.values()) if everything else choose(ids, known)


def _model(endpoint: Endpoint, asked: str | None) -> str:
    """The model that was asked for, or the provider's default."""
    if asked is None:
        return EMBEDDED if endpoint.provider.name == LOCAL and not endpoint.base_url else MODEL
    if not asked.strip():
        raise UsageError("--model is empty")
    return asked


def _label(endpoint: Endpoint, model: str) -> str:
    """The name under which the model stands in the ledger; a file's name carries a part of its digest."""
    if endpoint.provider.name != LOCAL or endpoint.base_url:
        return model
    try:
        return model_label(model)
    except LocalModelError as problem:
        raise UsageError(str(problem)) from problem


def _without_secrets(extra: Json, adapters: Sequence[Adapter]) -> Json:
    """`--extra` as it may stand in the ledger."""
    secret = {name for adapter in adapters for name, option in adapter.manifest.options.items() if option.secret}

    def hide(value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {
            key: f"[redacted:{key}]" if key in secret or names_a_secret(key) else hide(item)
            for key, item in value.items()
        }

    hidden = hide(extra)
    assert isinstance(hidden, dict)  # noqa: S101 - for the type checker: an object stays one
    return hidden


def _show_plan(history: History, plan: Sequence[PlannedRun], policy: Policy, changes: Mapping[str, Change]) -> None:
    """What `run` would do now; a run whose owner is provably gone would be recovered first."""
    rows = []
    for planned in plan:
        if planned.missing:
            rows.append([planned.adapter.id, "incompatible", "; ".join(planned.missing)])
            continue
        live = history.live_run(planned.signature.digest)
        if live and liveness(live.owner) == "dead":
            rows.append([planned.adapter.id, "run", f"runs: {live.run_id} was left open by a dead orchestrator"])
            continue
        verdict = judge(history, planned, policy, changes)
        rows.append([planned.adapter.id, "run" if verdict.run else "skip", explain(history, planned, verdict)])
    print_table(["benchmark", "would", "why"], rows)


def _recover(ledger: Ledger, workspace: Workspace, adapters: dict[str, Adapter], display: Display) -> None:
    for run in recover(ledger, provably_dead, workspace=workspace, adapters=adapters):
        what = "its result was adopted" if run.status == "succeeded" else "it has failed"
        display.note(f"{run.run_id}: its orchestrator is gone; {what}")


def _conduct(campaign: Campaign, ledger: Ledger, endpoint: Endpoint, model: str, display: Display) -> Result:
    options = {f"{name}": value for planned in campaign.plan for name, value in planned.secrets.items()}

    def endpoints(run_group_id: str) -> EndpointSource:
        log = campaign.workspace.results / run_group_id / "local-server.log"
        return EndpointSource(endpoint, model=model, log_path=log, announce=display.note)

    cancellation = Cancellation()
    with contextlib.closing(cancellation), _ending_on_signals(cancellation, display):
        return conduct(
            campaign,
            ledger,
            endpoints=endpoints,
            redactor=Redactor({**secrets_of(campaign.environ), **options}),
            display=display,
            cancellation=cancellation,
        )


@contextlib.contextmanager
def _ending_on_signals(cancellation: Cancellation, display: Display) -> Iterator[None]:
    """The first SIGINT, SIGTERM or SIGHUP ends the runs under way, and records them, before the program ends."""

    def end(number: int, _: FrameType | None) -> None:
        cancellation.request()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if cancellation.requested:
            display.note("interrupted: what was running is recorded as failed; the same command goes on from here")


def _report(result: Result) -> None:
    if result.runs:
        columns = ["benchmark", "status", "score", "high_score", "delta", "samples", "tokens", "seconds", "run_id"]
        dispensable = ["run_id", "samples", "high_score", "tokens", "delta", "seconds"]
        print_table(columns, map(_cells, result.runs), right=columns[2:-1], dispensable=dispensable)
        print()
    counts = result.counts
    print(
        f"{result.run_group_id}: {counts.succeeded} succeeded, {counts.failed} failed, {counts.skipped} skipped, "
        f"{counts.incompatible} incompatible"
    )


def _cells(run: Run) -> list[str]:
    tokens = run.usage.get("total_tokens")
    delta = run.delta_to_high_score
    return [
        run.benchmark_id,
        run.status + (f" ({run.reason})" if run.reason else " (synthetic)" if run.synthetic else ""),
        format_score(run.score, run.stderr),
        format_score(run.high_score_value),
        "" if delta is None else f"{delta:+.3f}",
        "" if run.samples is None else str(run.samples),
        "" if tokens is None else str(tokens),
        "" if run.duration_seconds is None else f"{run.duration_seconds:.1f}",
        run.run_id,
    ]
