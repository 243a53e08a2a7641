"""The place where runs are recorded: a workspace and its ledger."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from ..ledger.files.address import parse_address
from ..ledger.storage.open import open_store
from ..ledger.storage.postgres_address import secrets_in, shown_url
from ..ledger.store import EventStore, Notice
from ..projections.workspace import RESULTS, Workspace
from .errors import UsageError

if TYPE_CHECKING:
    from ..ledger.events import Record
    from ..ledger.ledger import Ledger
    from .redaction import Redactor

WORKSPACE_VARIABLE = "BENCHMARKS_WORKSPACE"
LEDGER_VARIABLE = "BENCHMARKS_LEDGER"
ARTIFACTS_VARIABLE = "BENCHMARKS_ARTIFACTS"
"""The addresses of stores for the files of runs, with spaces between; runs copy their files to the first one."""

_log = logging.getLogger("benchmarks")


class Location:
    """A workspace and its ledger. Nothing is created until something is recorded."""

    def __init__(self, workspace: Workspace, ledger_url: str, *, notice: Notice = _log.warning) -> None:
        self.workspace = workspace
        self.ledger_url = ledger_url
        self.notice = notice

    def __repr__(self) -> str:
        return f"{type(self).__name__}(workspace={str(self.workspace.root)!r}, ledger={shown_url(self.ledger_url)!r})"

    def copying_to(self, url: str | None) -> Self:
        """This place, but runs copy their files to the store at `url`; None changes nothing, an empty text copies none.

        Raises BadAddress.
        """
        if url is None:
            return self
        changed = copy.copy(self)
        first = [str(parse_address(url))] if url else []
        others = [known for known in self.workspace.artifacts if known not in first] if url else []
        changed.workspace = replace(self.workspace, artifacts=(*first, *others))
        return changed

    def store(self) -> EventStore:
        """The ledger's store. Raises UnsupportedLedger."""
        cache = self.workspace.ledger_cache if self.workspace.root.is_dir() else None
        return open_store(self.ledger_url, notice=self.notice, cache=cache)

    def ledger(
        self, store: EventStore | None = None, *, on_append: Callable[[list[Record]], None] = lambda _: None
    ) -> tuple[Ledger, Redactor]:
        """The ledger to write to, and the redactor that keeps secrets out of it. Only this method opens it to write."""
        from ..ledger.ledger import Ledger
        from .redaction import Redactor, secrets_of

        redactor = Redactor(secrets_of(os.environ), secrets_in(self.ledger_url, os.environ))
        return Ledger(store or self.store(), redact=redactor.event, on_append=on_append), redactor

    @classmethod
    def find(
        cls,
        workspace: str | os.PathLike[str] | None = None,
        ledger: str | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        notice: Notice = _log.warning,
    ) -> Self:
        """The location from the arguments, the variables or the current folder, in this order. Raises UsageError."""
        environ = os.environ if environ is None else environ
        root = Path(workspace or environ.get(WORKSPACE_VARIABLE) or default_workspace(Path.cwd())).absolute()
        if root.exists() and not root.is_dir():
            raise UsageError(f"the workspace {root} is not a folder\nhint: give another one with --workspace")
        if (shown := os.fsencode(root).decode(errors="backslashreplace")) != str(root):
            raise UsageError(
                f"the path of the workspace {shown} is not UTF-8 text, so no event can hold it\n"
                "hint: rename the folder, or give another one with --workspace"
            )
        found = Workspace(root, _stores(root, environ))
        return cls(found, ledger or environ.get(LEDGER_VARIABLE) or str(found.ledger), notice=notice)


def _stores(root: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The addresses of the user's stores, from the variable or the workspace's file. Raises BadAddress."""
    named = environ.get(ARTIFACTS_VARIABLE, "").split()
    if not named and (root / "benchmarks.toml").is_file():
        from ..adapters.discovery import artifact_stores

        named = artifact_stores(root)
    return tuple(dict.fromkeys(str(parse_address(url)) for url in named))


def default_workspace(here: Path) -> str:
    """The default workspace: this folder if it is a workspace, else `benchmarks` in it.

    A folder is a workspace if it has results or a `benchmarks.toml`, or if it is a checkout of a known kind.
    """
    if (here / "benchmarks.toml").is_file() or (here / RESULTS).is_dir():
        return "."
    from ..adapters.discovery import is_known_checkout

    return "." if is_known_checkout(here) else "benchmarks"
