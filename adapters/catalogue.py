"""The page of every benchmark that is known without a workspace: `docs/catalogue.md`, made from the manifests."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from .adapter import Adapter
from .discovery import WorkspaceFile
from .manifest import Manifest
from .options import effective_config

_HEAD = """# The catalogue

Made from the manifests by `make catalogue`; do not edit it. `benchmarks list-benchmarks` says the same of one machine:
what can run there, and what exactly is missing if it cannot.

*needs* is what a run with default options by the default agent needs besides this program; packages for an environment
of its own are fetched when it is first run. *runs with nothing more* names the ways that need none of it, or a model
alone, which may be the local one: an agent, among them baselines that the suite plays itself (`run --agent NAME`), or
an option (`--extra '{"NAME": true}'`) that replaces the agent by a mock.
"""

_COLUMNS = ("id", "directory", "what it measures", "score", "needs", "runs with nothing more")


def catalogue_page(adapters: Iterable[Adapter], elizaos: WorkspaceFile) -> str:
    """The page in Markdown; `elizaos` is what is known of a checkout of elizaOS/benchmarks."""
    known = [adapter for adapter in adapters if adapter.source in ("suite", "catalog")]
    suites = [adapter.manifest for adapter in known if adapter.source == "suite"]
    tools = [a.manifest for a in known if a.source == "catalog" and not a.manifest.needs_directory]
    checkouts = [a.manifest for a in known if a.source == "catalog" and a.manifest.needs_directory]
    return "\n".join(
        [
            _HEAD,
            *_section("Shipped: suites, and harnesses that a driver of ours starts", suites, elizaos),
            *_section("Harnesses and tools that a manifest starts, in the workspace itself", tools, elizaos),
            *_section("Benchmarks of a checkout, which is the workspace", checkouts, elizaos),
            "## Agents of a checkout of elizaOS/benchmarks",
            "",
            *(f"- {', '.join(f'`{agent}`' for agent in check.agents)}: {check.name}" for check in elizaos.checks),
            "",
            "## Folders of a checkout of elizaOS/benchmarks that are not benchmarks",
            "",
            *(f"- `{name}`: {reason}" for name, reason in sorted(elizaos.reasons.items())),
            "",
        ]
    )


def _section(title: str, manifests: Iterable[Manifest], elizaos: WorkspaceFile) -> Iterator[str]:
    harnesses = {agent for check in elizaos.checks for agent in check.agents}
    yield f"## {title}"
    yield ""
    yield f"| {' | '.join(_COLUMNS)} |"
    yield "|---" * len(_COLUMNS) + "|"
    for manifest in sorted(manifests, key=lambda manifest: manifest.id):
        cells = (
            f"`{manifest.id}`",
            f"`{manifest.directory}`" if manifest.needs_directory else "",
            f"{manifest.name}: {manifest.description}" if manifest.description else manifest.name,
            f"{manifest.result.unit} {'↑' if manifest.result.higher_is_better else '↓'}",
            "; ".join(_needs(manifest, manifest.default_agent, {}, harnesses)) or "nothing",
            ", ".join(_ways(manifest, harnesses)) or "no",
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _needs(manifest: Manifest, agent: str, extra: Mapping[str, Any], harnesses: Collection[str]) -> list[str]:
    """What a run by that agent with those options needs, whatever this machine has."""
    requires = manifest.requires
    config = effective_config(manifest.id, manifest.options, extra).config
    asks = manifest.asks_model(agent, config)
    return [
        *(["a model"] if asks else []),
        *([f"the harness {agent}"] if asks and agent in harnesses and "elizaos" in manifest.tags else []),
        *(f"option `{n}`" for n, option in manifest.options.items() if option.required and config.get(n) is None),
        *(f"`{name}` (variable)" for name in requires.env),
        *(f"`{name}`" for name in requires.commands),
        *(check.name for check in requires.checks if not check.is_needless(agent, config)),
        *([f"Python {requires.python_version}"] if requires.python_version else []),
    ]


def _ways(manifest: Manifest, harnesses: Collection[str]) -> Iterator[str]:
    """How it runs with nothing more than this program, or a model."""
    default = _needs(manifest, manifest.default_agent, {}, harnesses)
    if default in ([], ["a model"]):
        yield "yes" if not default else "on any model"
        return
    for agent in manifest.agents:
        if _needs(manifest, agent, {}, harnesses) == ["a model"]:
            fixed = manifest.run.fixed_providers.get(agent)
            whose = f"a model of {' or '.join(fixed)}" if fixed else "any model"
            yield f"`--agent {agent}` on {whose}"
    for agent in manifest.baselines:
        if not _needs(manifest, agent, {}, harnesses):
            yield f"`--agent {agent}`"
    for name, option in manifest.options.items():
        is_switch = option.type == "bool" and True in option.synthetic
        if is_switch and not _needs(manifest, manifest.default_agent, {name: True}, harnesses):
            yield f"`{name}`"
