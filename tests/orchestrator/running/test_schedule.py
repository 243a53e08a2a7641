"""What runs beside what: nothing that can't share the machine, and nothing that fits is kept waiting."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters.manifest import Resources, parse_size
from benchmarks.ledger.history import History
from benchmarks.orchestrator.machine.capacity import Capacity, this_machine
from benchmarks.orchestrator.running.schedule import Schedule, longest_first

MACHINE = Capacity(4.0, 8 * 2**30, ("0", "1"))


def work(name: str = "b", **resources):
    manifest = SimpleNamespace(resources=Resources(**resources))
    return SimpleNamespace(adapter=SimpleNamespace(id=name, manifest=manifest), name=name)


def take(schedule: Schedule):
    """What can begin now."""
    return schedule.take()


@pytest.mark.parametrize(
    ("first", "second", "fit"),
    [
        ({}, {}, True),
        ({"cpus": 2}, {"cpus": 2}, True),
        ({"cpus": 3}, {"cpus": 2}, False),
        ({"memory": "4 GiB"}, {"memory": "4 GiB"}, True),
        ({"memory": "5 GiB"}, {"memory": "4 GiB"}, False),
        ({"gpus": 1}, {"gpus": 1}, True),
        ({"gpus": 1}, {"gpus": 2}, False),
        ({"exclusive": ["docker"]}, {"exclusive": ["display"]}, True),
        ({"exclusive": ["docker"]}, {"exclusive": ["display", "docker"]}, False),
    ],
)
def test_what_cannot_share_waits_until_the_other_is_over(first, second, fit):
    schedule = Schedule([work(**first), work(**second)], MACHINE)
    _, grant = take(schedule)
    assert (take(schedule) is not None) is fit
    if not fit:
        schedule.give_back(grant)
        assert take(schedule)
    assert take(schedule) is None


def test_what_fits_goes_past_what_waits():
    schedule = Schedule([work("a", cpus=3), work("b", cpus=3), work("c")], MACHINE)
    assert [take(schedule)[0].name for _ in range(2)] == ["a", "c"]


def test_gpus_are_handed_out_by_name_and_once():
    schedule = Schedule([work(gpus=1), work(gpus=1), work(gpus=1)], MACHINE)
    first, second = take(schedule)[1], take(schedule)[1]
    assert [grant.environment() for grant in (first, second)] == [
        {"CUDA_VISIBLE_DEVICES": "0"},
        {"CUDA_VISIBLE_DEVICES": "1"},
    ]
    schedule.give_back(second)
    assert take(schedule)[1].gpus == ("1",)
    assert take(Schedule([work()], MACHINE))[1].environment() == {}


def test_what_is_put_back_holds_nothing_and_then_comes_first():
    schedule = Schedule([work("a", gpus=2), work("b", gpus=2), work("c")], MACHINE)
    again, grant = take(schedule)
    schedule.give_back(grant)
    schedule.put_back(again, 1000)
    planned, grant = take(schedule)
    assert (planned.name, schedule.left) == ("b", 1), "its GPUs are free meanwhile"
    schedule.give_back(grant)
    schedule.put_back(planned, 0)
    assert take(schedule)[0].name == "b"
    assert take(schedule)[0].name == "c"
    assert (take(schedule), schedule.left) == (None, 0), "what is tried again was begun"


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.booleans()), max_size=12),
    st.randoms(),
    st.integers(1, 4),
)
def test_everything_is_done_once_and_never_too_much_at_a_time(asked, chance, room):
    todo = [work(str(n), cpus=c, gpus=g, exclusive=["x"] if e else []) for n, (c, g, e) in enumerate(asked)]
    schedule = Schedule(todo, MACHINE)
    running, done = [], []
    while schedule.is_waiting or running:
        while len(running) < room and (taken := schedule.take()):
            running.append(taken)
        assert running, "work is left and nothing can start"
        grants = [grant for _, grant in running]
        names = [name for grant in grants for name in grant.gpus]
        assert sum(grant.resources.cpus for grant in grants) <= 4 and len(names) == len(set(names))
        assert sum("x" in grant.resources.exclusive for grant in grants) <= 1
        planned, grant = running.pop(chance.randrange(len(running)))
        schedule.give_back(grant)
        done.append(planned.name)
    assert sorted(done, key=int) == [str(number) for number in range(len(asked))]


def test_without_a_capacity_everything_starts():
    schedule = Schedule([work(cpus=99, gpus=9, exclusive=["x"]) for _ in range(3)], None)
    assert [take(schedule)[1].gpus for _ in range(3)] == [()] * 3 and not schedule.is_waiting


def test_what_takes_longest_comes_first_and_the_unknown_before_it(histories):
    def run(number, benchmark, seconds, signature="s", key="c"):
        return SimpleNamespace(
            run_id=str(number),
            first_seq=number,
            status="succeeded",
            duration_seconds=seconds,
            benchmark_id=benchmark,
            signature=signature,
            comparison_key=key,
            options_key=key,
            model="m",
        )

    history = History()
    runs = [run(1, "short", 5.0), run(2, "long", 500.0), run(3, "long", 700.0), run(4, "mid", 90.0, signature="other")]
    history.runs = {one.run_id: one for one in runs}
    todo = []
    for name in ("short", "long", "new", "mid"):
        planned = work(name)
        planned.signature = SimpleNamespace(digest="s", comparison_key="c", options_key="c")
        planned.model = "m"
        todo.append(planned)
    random.Random(1).shuffle(todo)
    assert [planned.name for planned in longest_first(todo, history)] == ["new", "long", "mid", "short"]


def test_this_machine_has_what_the_environment_names():
    here = this_machine({"CUDA_VISIBLE_DEVICES": "2, 5"})
    assert here.gpus == ("2", "5") and here.cpus >= 1 and here.memory > 2**28
    assert this_machine({"CUDA_VISIBLE_DEVICES": "-1"}).gpus == this_machine({"CUDA_VISIBLE_DEVICES": ""}).gpus == ()


def test_what_a_machine_lacks_is_named():
    asked = Resources(cpus=8, memory="16 GiB", gpus=3)
    assert MACHINE.missing(asked) == [
        "8 cores (this machine has 4)",
        "16.0 GiB of memory (this machine has 8.0)",
        "3 GPUs (this machine has 2)",
    ]
    assert MACHINE.missing(Resources()) == []


@pytest.mark.parametrize(
    ("text", "size"),
    [("4 GiB", 4 * 2**30), ("1.5kB", 1500), ("500 MB", 500_000_000), ("12", 12), (7, 7), ("3 b", 3), ("2TiB", 2**41)],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "4 gigs", "1e9", "4 Gi B"])
def test_any_other_text_is_not_a_size(text):
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)
