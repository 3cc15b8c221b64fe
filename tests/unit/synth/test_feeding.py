"""Feeding an engine: room, order, deaths. The engine is a double that dies of what it is told."""

import itertools
import math

import pytest

from curation.errors import EnvironmentFault
from curation.synth.backends.feeding import EngineDied, FedBackend
from curation.synth.backends.protocol import KILLS_ENGINE, ChatRequest, Completion


class Machine:
    """Where engines run: what is true of all of them, and what was seen of them."""

    def __init__(self, killers=(), *, room=4, n_deaths=None, deaf=()):
        self.killers = {*killers}
        self.room = room
        self.n_deaths = n_deaths
        self.deaf = {*deaf}
        self.engines = []
        self.added = []
        self.most_held = 0
        self.n_groups = 0

    def start(self):
        if self.engines:
            assert self.engines[-1].is_closed, "the dead engine still has its memory"
        self.engines.append(Engine(self))
        return self.engines[-1]


class Engine:
    """Answers one request a step, the last one first; dies of a killer at its second step."""

    def __init__(self, machine):
        self.machine, self.room = machine, machine.room
        self.held = {}
        self.is_closed = False

    def add(self, request, prompt):
        if request.user in self.machine.deaf:
            raise ValueError("no such voice")
        self.machine.n_groups += not self.held
        self.held[request.request_id] = request
        self.machine.added.append(request.request_id)
        self.machine.most_held = max(self.machine.most_held, len(self.held))

    def step(self):
        users = {request.user for request in self.held.values()}
        if self.machine.n_deaths != 0 and users & self.machine.killers:
            self.machine.n_deaths = self.machine.n_deaths and self.machine.n_deaths - 1
            raise EngineDied("RuntimeError: out of luck")
        request = self.held.pop(list(self.held)[-1])
        return [Completion(request.request_id, "said", "stop", len(request.user), 1, 0.5, None)]

    def drop(self, request_ids):
        assert not self.is_closed
        for request_id in request_ids:
            del self.held[request_id]

    def close(self):
        self.is_closed = True


def ask(request_id, user="hello"):
    return ChatRequest(request_id, "", user, "", 7, 0.5, 0.9)


def fed(machine):
    return FedBackend(machine.start, lambda request: [0] * len(request.user), 10)


def answers(machine, requests):
    return {done.request_id: done for done in fed(machine).generate(requests)}


def test_the_engine_is_full_while_there_are_requests_and_never_more_than_full():
    machine, taken = Machine(room=4), []
    endless = (taken.append(n) or ask(f"r{n}") for n in itertools.count())
    completions = fed(machine).generate(endless)
    assert taken == []
    for n_done in range(1, 20):
        next(completions)
        assert len(taken) == 4 + n_done - 1
    assert machine.most_held == 4


def test_every_request_has_one_completion_in_any_order():
    ids = [f"r{n}" for n in range(9)]
    found = [done.request_id for done in fed(Machine()).generate(map(ask, ids))]
    assert sorted(found) == ids
    assert found != ids
    assert list(fed(Machine()).generate([])) == []


def test_who_stops_listening_leaves_an_empty_engine_that_serves_the_next():
    machine = Machine()
    backend = fed(machine)
    completions = backend.generate(ask(f"r{n}") for n in range(9))
    next(completions)
    completions.close()
    assert machine.engines[0].held == {}
    assert len(list(backend.generate([ask("a"), ask("b")]))) == 2
    assert len(machine.engines) == 1


def test_a_source_that_fails_leaves_an_empty_engine():
    def broken():
        yield ask("a")
        raise OSError("the shuffle file is gone")

    machine = Machine()
    with pytest.raises(OSError, match="shuffle"):
        list(fed(machine).generate(broken()))
    assert machine.engines[0].held == {}


def test_what_the_engine_cannot_take_is_an_error_of_the_request_alone():
    found = answers(Machine(deaf={"psst"}), [ask("a"), ask("b", "psst"), ask("c", "x" * 10)])
    assert found["a"].error is None
    assert "no such voice" in found["b"].error
    assert "10 tokens" in found["c"].error
    assert "fewer than 10" in found["c"].error
    assert found["c"].n_input_tokens == 10
    assert {found[name].finish_reason for name in "bc"} == {"error"}


def test_after_a_death_by_accident_what_was_in_the_engine_is_asked_again_and_nothing_else():
    machine = Machine({"bad day"}, n_deaths=1, room=3)
    users = ["hello"] * 5 + ["bad day"] + ["hello"] * 5
    found = answers(machine, [ask(f"r{n}", user) for n, user in enumerate(users)])
    assert len(found) == 11
    assert all(done.error is None for done in found.values())
    assert len(machine.engines) == 2
    again = {name for name in machine.added if machine.added.count(name) > 1}
    assert "r5" in again
    assert len(again) == 3
    assert [engine.is_closed for engine in machine.engines] == [True, False]


@pytest.mark.parametrize("place", [0, 13, 31])
def test_the_one_that_kills_is_found_and_all_others_are_answered(place):
    machine = Machine({"killer"}, room=32)
    users = ["killer" if n == place else "hello" for n in range(32)]
    found = answers(machine, [ask(f"r{n}", user) for n, user in enumerate(users)])
    assert len(found) == 32
    killed = found.pop(f"r{place}")
    assert killed.error == f"{KILLS_ENGINE}: RuntimeError: out of luck"
    assert killed.finish_reason == "error"
    assert all(done.error is None for done in found.values())
    # The first one, one after each death: of all, of all again, of each half down to one.
    assert len(machine.engines) <= 3 + math.log2(32)
    # Not one by one: an engine with one request in it is a slow one.
    assert machine.n_groups <= 3 + 2 * math.log2(32)


def test_several_killers_are_all_found():
    machine = Machine({"killer"}, room=8)
    users = {f"r{n}": "killer" if n % 5 == 0 else "hello" for n in range(20)}
    found = answers(machine, [ask(name, user) for name, user in users.items()])
    killed = {name for name, done in found.items() if done.error is not None}
    assert killed == {"r0", "r5", "r10", "r15"}
    assert len(found) == 20


def test_a_killer_alone_is_asked_twice_and_called_so():
    machine = Machine({"killer"})
    found = answers(machine, [ask("r0", "killer")])
    assert found["r0"].error.startswith(KILLS_ENGINE)
    assert machine.added == ["r0", "r0", "control"]


def test_an_engine_that_dies_of_everything_is_a_broken_world():
    machine = Machine({"hello", "Say yes."})
    found = []
    with pytest.raises(EnvironmentFault, match=r"dies of every question.*out of luck"):
        found.extend(fed(machine).generate(ask(f"r{n}") for n in range(1000)))
    assert found == []
    assert len(machine.added) < 20


def test_after_a_broken_world_the_next_caller_starts_another_engine():
    machine = Machine({"hello", "Say yes."})
    backend = fed(machine)
    with pytest.raises(EnvironmentFault):
        list(backend.generate([ask("a")]))
    machine.killers = set()
    assert [done.error for done in backend.generate([ask("a")])] == [None]
