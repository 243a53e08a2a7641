"""Which revisions measure the same, by the declarations in a ledger."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger.equivalence import Equivalences, Statement, classes_of
from benchmarks.ledger.events import EquivalenceDeclared, EquivalenceWithdrawn, Merged, NewEvent


def declared(*revisions, kind=EquivalenceDeclared, benchmark="b"):
    return NewEvent(benchmark, kind(revisions=list(revisions), author="a", reason="r"))


@pytest.fixture
def ask(store):
    def ask(*events):
        store.append(lambda _: list(events), lambda _: None)
        return Equivalences(store)

    return ask


def test_declarations_reach_over_others_and_hold_for_one_benchmark(ask):
    found = ask(declared("1", "2"), declared("3", "2"))
    assert found.classes == {"b": {"1": "1", "2": "1", "3": "1"}}
    assert found.are_same("b", "3", "1") and not found.are_same("c", "1", "2")
    assert found.declared("b", "2", "1") and not found.declared("b", "1", "3")


def test_a_withdrawn_declaration_does_not_count_until_it_is_made_again(ask):
    withdrawn = declared("2", "1", kind=EquivalenceWithdrawn)
    assert not ask(declared("1", "2"), withdrawn).are_same("b", "1", "2")
    assert ask(declared("1", "2")).are_same("b", "1", "2")


def test_a_declaration_of_another_ledger_does_not_count(ask):
    merged = Merged(origin="o", position=1, head_hash="0" * 64, stretches=[(1, 1)], added=1)
    assert not ask(declared("1", "2"), NewEvent("o", merged)).are_same("b", "1", "2")


def test_a_revision_is_itself_without_a_look_at_the_ledger():
    assert Equivalences(None).are_same("b", "1", "1")  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sets(st.sampled_from("abcdefgh"), min_size=2, max_size=2), st.booleans()), max_size=25))
def test_classes_are_what_can_be_reached_over_standing_declarations(said):
    statements = [Statement("b", *sorted(pair), is_declared) for pair, is_declared in said]
    standing = {frozenset(pair): is_declared for pair, is_declared in said}

    def reached(revision):
        found = {revision}
        while more := {one for pair, holds in standing.items() if holds and pair & found for one in pair} - found:
            found |= more
        return found

    classes = classes_of(statements).get("b", {})
    for revision in "abcdefgh":
        assert classes.get(revision, revision) == min(reached(revision))
