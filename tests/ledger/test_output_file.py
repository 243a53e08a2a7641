"""A file that a person asked for is whole or as it was; what is not a file stays what it is."""

from __future__ import annotations

import os
import stat
import threading

import pytest

from benchmarks.ledger.output_file import written_whole

pytestmark = pytest.mark.slow


def test_a_file_is_replaced_at_the_end(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    with written_whole(path) as target:
        target.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_whole(path) as target:
        target.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with written_whole(tmp_path / "link") as target:
        target.write_text("new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with written_whole(pipe) as target:
        target.write_text("through")
    reader.join(20)
    assert read == ["through"] and stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_is_an_error(tmp_path):
    with pytest.raises(IsADirectoryError), written_whole(tmp_path):
        pytest.fail("nothing can be written there")


def _exports(output):
    return [
        ["ledger", "export", output],
        ["ledger", "export", "--with-files", output],
        ["export-viewer-data", "--html", output],
        ["report", "--output", output],
        ["export", "--format", "csv", "--output", output],
        ["query", "SELECT 1 AS one", "--parquet", output],
    ]


@pytest.mark.parametrize("arguments", _exports("null"), ids=" ".join)
def test_no_command_replaces_a_device(bench, tmp_path, arguments):
    bench.add("good")
    bench.run("good")
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")
    bench(*(str(device) if word == "null" else word for word in arguments), code=None)
    assert stat.S_ISCHR(device.stat().st_mode)
