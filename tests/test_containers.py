"""The files for containers agree with the program, with each other and with the tree. They cannot be run here."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.test_docs_commands import understand
from tests.test_layout import MAY_IMPORT

ROOT = Path(__file__).parent.parent
CONTAINERS = ROOT / "containers"
CONTAINERFILE = (CONTAINERS / "Containerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((CONTAINERS / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


def instructions(kind: str) -> list[list[str]]:
    """The words of each instruction of that kind in the Containerfile."""
    joined = CONTAINERFILE.replace("\\\n", " ")
    return [line.split()[1:] for line in joined.splitlines() if line.startswith(f"{kind} ")]


def test_the_image_is_made_of_every_folder_of_the_program_and_of_nothing_that_is_missing():
    copied = [
        word.rstrip("/") for words in instructions("COPY") if not words[0].startswith("--") for word in words[:-1]
    ]
    assert all((ROOT / name).exists() for name in copied)
    assert set(copied) == {*MAY_IMPORT, "pyproject.toml", "README.md", "LICENSE", "py.typed", "__init__.py"}
    sent = (CONTAINERS / "Containerfile.dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in sent if line.startswith("!")} == set(copied)


def test_the_image_has_a_user_of_its_own_and_pinned_bases():
    [user] = instructions("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user[0])
    assert all(re.search(r":\d+(\.\d+)?-", base[0]) for base in instructions("FROM"))
    ours = [service["user"] for service in OURS.values()]
    assert ours == user * len(OURS)
    others = [service["image"] for service in COMPOSE["services"].values() if "build" not in service]
    assert others and all(re.search(r":\d+", image) for image in others)


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_can_change_only_its_volumes_and_has_no_privileges(name):
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service["user"].startswith("0")
    mounted = [volume.split(":")[0] for volume in service.get("volumes", ())]
    assert all(one in COMPOSE["volumes"] or (CONTAINERS / one).exists() for one in mounted)
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
    assert set(service.get("depends_on", ())) <= set(COMPOSE["services"])
    # Passwords and keys come from files.
    assert not [key for key in service["environment"] if re.search("PASSWORD$|TOKEN$|_KEY$", key)]
    assert not re.search("://[^@/ ]+:[^@/ ]+@", str(service["environment"]))
    if service.get("restart") == "unless-stopped":
        assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", OURS)
def test_each_command_of_our_services_is_understood(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    understand(OURS[name]["command"])


def test_the_default_command_of_the_image_is_understood(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [words] = instructions("CMD")
    understand(yaml.safe_load(" ".join(words)))


def test_the_documented_runner_command_is_understood(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    comments = (CONTAINERS / "compose.yaml").read_text().partition("\nname:")[0]
    [command] = re.findall(r"run --rm runner (run .*)", comments)
    understand(command.split())


def made_in(folder: Path) -> dict[str, bytes]:
    """The files that the script makes there, or leaves as they are."""
    made = subprocess.run([CONTAINERS / "make-secrets", folder], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_script_makes_every_secret_once_and_for_its_reader_alone(tmp_path):
    folder = tmp_path / "secrets"
    first, second = made_in(folder), made_in(folder)
    assert second == first
    assert set(first) == set(COMPOSE["secrets"])
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o400}
    assert all(secret["file"] == f"./secrets/{name}" for name, secret in COMPOSE["secrets"].items())
    for role in ("owner", "runner", "viewer"):
        password = first[f"ledger_{role}_password"].decode()
        assert re.fullmatch("[0-9a-f]{48}", password)
        assert first[f"ledger_{role}_pgpass"].decode() == f"ledger:5432:benchmarks:benchmarks_{role}:{password}\n"
    assert len({first[name] for name in first}) == len(first)


def test_the_secrets_are_kept_out_of_the_repository():
    assert "/containers/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
