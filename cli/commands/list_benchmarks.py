"""`list-benchmarks`: every adapter, and what is missing to run it here; and directories without an adapter."""

from __future__ import annotations

import os
from typing import Any

import click
import msgspec

from ...adapters.adapter import Adapter
from ...adapters.discovery import Discovery, discover, without_ignored
from ...adapters.options import effective_config
from ...adapters.requirements.missing import Need, Standing, examine
from ...orchestrator.models.providers import find_provider, resolve
from ..context import Place, in_place, json_option, note, print_json
from ..printing import print_table


@click.command()
@click.option("--agent", help="Check for this agent instead of each benchmark's default.")
@click.option("--provider", help="Also check that this provider has a key here.")
@click.option("--all", "everything", is_flag=True, help="Also list the benchmarks that need a folder that is not here.")
@click.option("--check", "ask_now", is_flag=True, help="Also check what takes a process or the network (5 s at most).")
@json_option
@in_place
def command(
    place: Place, agent: str | None, provider: str | None, everything: bool, ask_now: bool, as_json: bool
) -> int:
    """List every benchmark, and whether it can run here; if it cannot, everything that is missing.

    Without --check, no process is started and no host is asked: such requirements are listed as unchecked, unless
    they were checked in the last five minutes.

    Exit code 2 if a benchmark directory of the workspace has no benchmark, or a manifest is not valid.
    """
    missing_key = resolve(find_provider(provider), base_url=None, environ=os.environ).missing() if provider else []
    discovery = discover(place.workspace.root)
    if ask_now:
        discovery = without_ignored(discovery, place.workspace.root)
    # Benchmarks that need another checkout would hide the rest.
    elsewhere = [] if everything or as_json else [a for a in discovery.adapters.values() if a.root is None]
    listed = [adapter for adapter in discovery.adapters.values() if adapter not in elsewhere]
    needs = [_need(adapter, agent) for adapter in listed]
    rows = [
        _row(need, standing, missing_key)
        for need, standing in zip(needs, examine(needs, os.environ, ask_now=ask_now), strict=True)
    ]
    if as_json:
        print_json(_document(discovery, rows))
    else:
        _print_rows(rows)
        _print_summary(discovery, rows, [adapter.id for adapter in elsewhere])
    for problem in discovery.problems:
        note(f"invalid manifest: {problem}")
    if discovery.uncovered:
        note(
            f"directories without a benchmark: {', '.join(discovery.uncovered)}\n"
            "hint: give each a benchmark.toml, or exclude it in benchmarks.toml of the workspace; "
            "--check leaves out those of which git ignores every file"
        )
    return 2 if discovery.problems or discovery.uncovered else 0


def _need(adapter: Adapter, agent: str | None) -> Need:
    manifest = adapter.manifest
    defaults = effective_config(manifest.id, manifest.options, {}).config
    return Need(adapter=adapter, agent=agent or manifest.default_agent, config=defaults)


def _print_rows(rows: list[dict[str, Any]]) -> None:
    print_table(
        ["benchmark", "runs here", "agent", "source", "description, or what is missing"],
        [[row["id"], _runs_here(row), row["agent"], row["source"], _description(row)] for row in rows],
    )


def _runs_here(row: dict[str, Any]) -> str:
    if not row["runnable"]:
        return "no"
    return "unchecked" if row["unchecked"] else "yes"


def _description(row: dict[str, Any]) -> str:
    if row["missing"]:
        return "missing: " + "; ".join(row["missing"])
    return "unchecked: " + "; ".join(row["unchecked"]) if row["unchecked"] else row["description"]


def _print_summary(discovery: Discovery, rows: list[dict[str, Any]], elsewhere: list[str]) -> None:
    """Print the counts below the table; `elsewhere` are the ids of benchmarks that it leaves out."""
    covered = len(discovery.directories) - len(discovery.uncovered)
    print(f"\n{len(rows)} benchmarks; {covered} of {len(discovery.directories)} benchmark directories covered")
    if unchecked := [row["id"] for row in rows if row["unchecked"]]:
        print(f"\n{len(unchecked)} with requirements that only a process or the network shows (--check checks them)")
    if elsewhere:
        names = ", ".join(elsewhere)
        print(f"\n{len(elsewhere)} more need another checkout as the workspace (--all lists them too): {names}")
    if reasons := {name: why for name, why in discovery.excluded.items() if why}:
        print("\nexcluded directories:\n" + "\n".join(f"  {name}: {why}" for name, why in reasons.items()))


def _row(need: Need, standing: Standing, missing_key: list[str]) -> dict[str, Any]:
    adapter, manifest = need.adapter, need.adapter.manifest
    reasons = standing.missing + (missing_key if manifest.asks_model(need.agent, need.config) else [])
    return {
        "id": manifest.id,
        "name": manifest.name,
        "directory": manifest.directory,
        "description": manifest.description,
        "homepage": manifest.homepage,
        "tags": manifest.tags,
        "agents": manifest.agents,
        "baselines": list(manifest.baselines),
        "agent": need.agent,
        "source": adapter.source,
        "runnable": not reasons,
        "missing": reasons,
        "unchecked": standing.unchecked,
        "unit": manifest.result.unit,
        "higher_is_better": manifest.result.higher_is_better,
        "high_score": msgspec.to_builtins(manifest.high_score),
        "options": {
            name: {
                "type": option.type,
                "default": option.default,
                "required": option.required,
                "help": option.help,
            }
            for name, option in manifest.options.items()
        },
    }


def _document(discovery: Discovery, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "benchmarks": rows,
        "directories": discovery.directories,
        "uncovered": discovery.uncovered,
        "excluded": discovery.excluded,
        "problems": [
            {"path": str(problem.path), "key": problem.key, "reason": problem.reason} for problem in discovery.problems
        ],
    }
