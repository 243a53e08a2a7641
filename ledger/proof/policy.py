"""Policies, after C2SP tlog-policy: which logs are believed, and which witnesses must have seen a checkpoint.

log bench.example.org+5d1c574c+AVLK...
witness first  w1.example.org+...  https://w1.example.org
witness second w2.example.org+...
group both all first second
quorum both
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from ..errors import LedgerError
from .checkpoint import Checkpoint, parse_checkpoint
from .encoding import BadText
from .signing import COSIGNATURE, NOTE, BadSignature, Note, SigningError, Verifier, parse_verifier

_MAX_LINES = 10_000
_BLANKS = " \t"


class PolicyError(LedgerError):
    """A text that is not a policy; the message names the line."""


class NotTrusted(LedgerError):
    """A checkpoint that a policy does not accept; the message says why, in one sentence."""

    exit_code = 1


class Log(msgspec.Struct, frozen=True):
    """A log whose checkpoints are believed; its key's name is their origin."""

    verifier: Verifier
    url: str | None = None


class Witness(msgspec.Struct, frozen=True):
    """A witness: its name in the policy, its key, and the address that it answers at."""

    name: str
    verifier: Verifier
    url: str | None = None

    def __str__(self) -> str:
        return f"witness {self.name} {self.verifier}" + (f" {self.url}" if self.url else "")


class Group(msgspec.Struct, frozen=True):
    """Members of which `threshold` must have seen a checkpoint; each is a witness or a group."""

    name: str
    threshold: int
    members: list[str]

    def __str__(self) -> str:
        return f"group {self.name} {self.threshold} {' '.join(self.members)}"


class Policy(msgspec.Struct, frozen=True):
    """What makes a checkpoint valid: one of the logs has signed it, and the quorum of witnesses has seen it."""

    logs: list[Log]
    witnesses: list[Witness]
    groups: list[Group]
    quorum: str | None

    def judge(self, text: str) -> Accepted:
        """Check the signatures of a checkpoint's note. Raises NotTrusted, and BadText if it is not a checkpoint."""
        checkpoint, note = parse_checkpoint(text)
        log = self._signer(checkpoint, note)
        seen = [one.name for one in self.witnesses if _has_signed(one.verifier, note)]
        if not self._is_met(set(seen)):
            raise NotTrusted(self._lacking(seen))
        return Accepted(checkpoint, note, log, seen)

    def _signer(self, checkpoint: Checkpoint, note: Note) -> Log:
        named = [log for log in self.logs if log.verifier.name == checkpoint.origin]
        if not named:
            known = ", ".join(log.verifier.name for log in self.logs) or "none"
            raise NotTrusted(f"the checkpoint is of {checkpoint.origin}, and the policy accepts {known}")
        for log in named:
            if _has_signed(log.verifier, note):
                return log
        raise NotTrusted(f"the checkpoint is not signed by {' or '.join(str(log.verifier) for log in named)}")

    def _is_met(self, seen: Collection[str]) -> bool:
        """Whether the quorum is reached; a group refers only to members before it."""
        met = set(seen)
        for group in self.groups:
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.name)
        return self.quorum is None or self.quorum in met

    def _lacking(self, seen: list[str]) -> str:
        group = next((one for one in self.groups if one.name == self.quorum), None)
        need = f"{group.threshold} of {len(group.members)}" if group else "its witness"
        by = f"by {', '.join(seen)}" if seen else "by none of the witnesses"
        return f"the policy requires {self.quorum} ({need}) to have seen the checkpoint, and it is signed {by}"


class Accepted(msgspec.Struct, frozen=True):
    """A checkpoint that a policy accepts: the log that signed it, and the names of the witnesses that did.

    `log` is None if the signatures were not looked at.
    """

    checkpoint: Checkpoint
    note: Note
    log: Log | None
    witnesses: list[str]


def judge(policy: Policy | None, text: str) -> Accepted:
    """The checkpoint in a note, as `Policy.judge`; without a policy, its signatures are not looked at."""
    return policy.judge(text) if policy is not None else Accepted(*parse_checkpoint(text), None, [])


def _has_signed(verifier: Verifier, note: Note) -> bool:
    try:
        return verifier.signature_of(note) is not None
    except BadSignature as problem:
        raise NotTrusted(str(problem)) from problem


class _Reading:
    """What the lines of a policy have defined up to now."""

    def __init__(self) -> None:
        self.logs: list[Log] = []
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.quorum: str | None = None
        self.has_quorum = False
        self._names: set[str] = {"none"}
        self._members: set[str] = set()

    def log(self, key: str, url: str | None = None) -> None:
        self.logs.append(Log(self._new_key(key, NOTE, [log.verifier for log in self.logs]), url))

    def witness(self, name: str, key: str, url: str | None = None) -> None:
        known = [witness.verifier for witness in self.witnesses]
        self.witnesses.append(Witness(self._new_name(name), self._new_key(key, COSIGNATURE, known), url))

    def group(self, name: str, threshold: str, *members: str) -> None:
        for member in members:
            self._defined(member)
            if member in self._members:
                raise BadText(f"'{member}' is already a member of a group")
            self._members.add(member)
        named = {"all": len(members), "any": 1}.get(threshold)
        number = named if named is not None else int(threshold) if threshold.isdecimal() and len(threshold) < 6 else 0
        if not 1 <= number <= len(members):
            raise BadText(f"the threshold must be all, any or 1 to {len(members)}, got '{threshold}'")
        self.groups.append(Group(self._new_name(name), number, list(members)))

    def set_quorum(self, name: str) -> None:
        if self.has_quorum:
            raise BadText("there is already a quorum")
        self.has_quorum = True
        if name != "none":
            self._defined(name)
            self.quorum = name

    def _defined(self, name: str) -> None:
        if name == "none" or name not in self._names:
            raise BadText(f"'{name}' is not defined above this line")

    def _new_name(self, name: str) -> str:
        if name in self._names:
            raise BadText(f"the name '{name}' is used twice")
        self._names.add(name)
        return name

    @staticmethod
    def _new_key(text: str, kind: bytes, known: list[Verifier]) -> Verifier:
        verifier = parse_verifier(text, kind)
        if any(verifier.public == other.public for other in known):
            raise BadText("the same key is used twice")
        return verifier


def parse_policy(text: str, *, needs_quorum: bool = True) -> Policy:
    """The policy in a text. Without `needs_quorum` it may lack one. Raises PolicyError."""
    reading = _Reading()
    forms: dict[str, tuple[Callable[..., None], int, int]] = {
        "log": (reading.log, 1, 2),
        "witness": (reading.witness, 2, 3),
        "group": (reading.group, 3, _MAX_LINES),
        "quorum": (reading.set_quorum, 1, 1),
    }
    for number, line in enumerate(text.split("\n")[:_MAX_LINES], 1):
        words = [word for word in line.replace("\t", " ").strip(_BLANKS).split(" ") if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            if any(letter < " " or letter == "\x7f" for letter in line.replace("\t", " ")):
                raise BadText("it has control characters")
            form, least, most = forms.get(words[0], (None, 0, 0))
            if form is None:
                raise BadText(f"a line begins with log, witness, group or quorum, got '{words[0][:40]}'")
            if not least <= len(words) - 1 <= most:
                raise BadText(f"'{words[0]}' has a wrong number of words")
            form(*words[1:])
        except (BadText, SigningError) as problem:
            raise PolicyError(f"the policy cannot be used: line {number}: {problem}") from problem
    if needs_quorum and not reading.has_quorum:
        raise PolicyError("the policy does not have a quorum", "add a line such as `quorum none`")
    return Policy(reading.logs, reading.witnesses, reading.groups, reading.quorum)


def policy_text(logs: list[Verifier], witnesses: list[Witness], quorum: int) -> str:
    """The text of a policy in which `quorum` of the witnesses must have seen a checkpoint."""
    lines = [f"log {log}" for log in logs] + [str(witness) for witness in witnesses]
    if quorum:
        group = "quorum-of-witnesses"
        lines += [f"group {group} {quorum} {' '.join(witness.name for witness in witnesses)}", f"quorum {group}"]
    else:
        lines.append("quorum none")
    return "".join(f"{line}\n" for line in lines)
