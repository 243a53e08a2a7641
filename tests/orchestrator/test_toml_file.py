import re

import pytest

from benchmarks.orchestrator.errors import UsageError
from benchmarks.orchestrator.models.prices import read_prices
from benchmarks.orchestrator.planning.campaign_file import load_campaign_file
from benchmarks.orchestrator.planning.registration_file import load_plan_file


@pytest.mark.parametrize("load", [load_campaign_file, load_plan_file, read_prices])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a = '\xbb'", "is not valid: byte 6 is not UTF-8\nhint: docs/"),
        (b"a = [", "is not valid: Invalid value (at end of document)\nhint: docs/"),
        (b"a = " + b"[" * 100_000, "is not valid: it is nested too deep\nhint: docs/"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_fault_is_told_with_the_file_and_a_hint(load, content, told, tmp_path):
    path = tmp_path / "x.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"^the (campaign file|plan|price file) {re.escape(f'{path} {told}')}"):
        load(path)
