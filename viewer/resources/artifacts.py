"""The files of a run: their list, each as a download, and as text in a sandbox."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import falcon
import msgspec

from ..api.answers import answer
from ..api.parameters import Form, Parameter
from ..api.run_files import PIECE, file_size, open_artifact, send_piece
from ..api.site import Site
from .run import find_run

_UNSAFE_IN_NAME = re.compile(r"[^A-Za-z0-9._-]")
_TEXTS = frozenset(
    ".cfg .conf .css .csv .diff .err .html .ini .js .json .jsonl .log .md .ndjson .out .patch .py .rst .sh .sql .svg "
    ".toml .trace .ts .tsv .txt .xml .yaml .yml".split()
)


class ListedArtifact(msgspec.Struct, frozen=True):
    """A recorded file. `present`: it still exists, here or in a store. `is_text`: it is text, by its name."""

    path: str
    bytes: int
    sha256: str
    present: bool
    is_text: bool


class ArtifactList(msgspec.Struct, frozen=True):
    """The files of a run."""

    artifacts: list[ListedArtifact]


class Artifacts:
    """Lists the files of a run."""

    about = "The files that a run recorded"
    parameters = Form()
    answer = ArtifactList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """Each file as it was recorded, and whether it exists."""
        self.parameters.read(req)
        run = find_run(self._site, run_id)
        folder = self._site.archive.folder(run)
        here = {artifact.path for artifact in run.artifacts if file_size(folder, artifact.path) is not None}
        if len(here) < len(run.artifacts):
            here |= self._site.archive.workspace.elsewhere.sizes(folder).keys()
        listed = [
            ListedArtifact(
                artifact.path,
                artifact.bytes,
                artifact.sha256,
                artifact.path in here,
                PurePosixPath(artifact.path).suffix.lower() in _TEXTS,
            )
            for artifact in run.artifacts
        ]
        answer(req, resp, ArtifactList(listed))

    on_head = on_get


class ArtifactFile:
    """A file of a run as a download; a browser shows it as plain text only."""

    about = "A file that a run recorded, as a download, or as text"
    parameters = Form(Parameter("view", "`text`: as plain text, in pieces", "choice", choices=("text",)), *PIECE)
    answer = "application/octet-stream"

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str, path: str) -> None:
        """Only a path that the run recorded, and only if it is still a file in the run's folder."""
        asked = self.parameters.read(req)
        run, archive = find_run(self._site, run_id), self._site.archive
        file, size = open_artifact(run, archive.folder(run), path, archive.workspace.elsewhere)
        if asked["view"]:
            with file:
                send_piece(req, resp, file, size, asked)
            return
        name = _UNSAFE_IN_NAME.sub("_", PurePosixPath(path).name)
        resp.content_type = "application/octet-stream"
        resp.set_header("Content-Disposition", f'attachment; filename="{name}"')
        resp.set_stream(file, size)

    on_head = on_get
