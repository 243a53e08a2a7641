"""The manifest: what a benchmark says about itself in a `benchmark.toml`, read and checked as a whole."""

from .check import high_score_faults
from .load import MAX_MANIFEST_BYTES, ManifestError, find_faults, load_manifest, parse_manifest, read_toml
from .placeholders import EACH_VALUE, PLACEHOLDERS, fill
from .schema import (
    ANY_AGENT,
    ID_RULE,
    LOG_BYTES,
    Baseline,
    Calibration,
    Check,
    Data,
    HighScore,
    Manifest,
    Player,
    Requires,
    Resources,
    ResultSpec,
    RunSpec,
    is_id,
    parse_size,
)

__all__ = [
    "ANY_AGENT",
    "EACH_VALUE",
    "ID_RULE",
    "LOG_BYTES",
    "MAX_MANIFEST_BYTES",
    "PLACEHOLDERS",
    "Baseline",
    "Calibration",
    "Check",
    "Data",
    "HighScore",
    "Manifest",
    "ManifestError",
    "Player",
    "Requires",
    "Resources",
    "ResultSpec",
    "RunSpec",
    "fill",
    "find_faults",
    "high_score_faults",
    "is_id",
    "load_manifest",
    "parse_manifest",
    "parse_size",
    "read_toml",
]
