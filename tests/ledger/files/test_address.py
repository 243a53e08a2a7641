"""Addresses of stores: what is one, and what would put a credential on record."""

from __future__ import annotations

import pytest

from benchmarks.ledger.files.address import BadAddress, parse_address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("file:///mnt/runs/", "file:///mnt/runs"),
        ("s3://bucket", "s3://bucket"),
        ("S3://bucket/team/runs/", "s3://bucket/team/runs"),
        ("memory://here", "memory://here"),
        ("gs://bucket/runs", "gs://bucket/runs"),
    ],
)
def test_an_address_is_kept_without_a_slash_at_its_end(text, url):
    assert str(parse_address(text)) == url


@pytest.mark.parametrize(
    "text",
    [
        "s3://AKIAEXAMPLE:hunter2secret@bucket/runs",
        "s3://hunter2secret@bucket/runs",
        "sftp://me:hunter2secret@host/runs",
        "abfs://container:hunter2secret@account/runs",
        "s3://bucket/runs?X-Amz-Signature=hunter2secret",
        "gs://bucket/runs#hunter2secret",
        "me:hunter2secret@bucket",
        "simplecache::s3://hunter2secret@bucket",
        "hunter2secret://bucket@x",
    ],
)
def test_an_address_with_a_credential_is_refused_without_repeating_it(text):
    with pytest.raises(BadAddress) as caught:
        parse_address(text)
    assert "hunter2secret" not in str(caught.value).replace("'hunter2secret' is not a scheme", "")
    assert "\nhint: " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("s3a://bucket", "did you mean s3?"),
        ("s4://bucket", "known: file, memory, s3"),
        ("fiel:///mnt", "did you mean file?"),
        ("/mnt/runs", "write file:///mnt/runs"),
        ("file://mnt/runs", "write file:///mnt/runs"),
        ("s3:///runs", "names no bucket"),
        ("s3://bucket/../other", "'.' or '..'"),
        ("s3://bucket//runs", "an empty part"),
        ("", "must be an address"),
        ("s3://bucket/a\nb", "characters"),
        ("http://169.254.169.254/latest", "'http' is not a scheme"),
    ],
)
def test_the_error_says_what_to_write(text, told):
    with pytest.raises(BadAddress) as caught:
        parse_address(text)
    assert told in str(caught.value)
