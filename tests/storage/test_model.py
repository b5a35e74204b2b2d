"""The store against a model of it: a dict, and a list of everything that happened."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from roadbed.storage import (
    CompactedError,
    KeyExistsError,
    KeyNotFoundError,
    RevisionConflictError,
    StorageError,
)
from roadbed.storage.log import beyond
from roadbed.storage.sqlite import Limits, open_url

KEYS = st.sampled_from(
    [f"/{group}/{name}" for group in ("a", "ab", "b") for name in ("x", "xx", "é", "\U0001f6e3")]
)
PREFIXES = st.sampled_from(["", "/", "/a", "/a/", "/a/x", "/ab/", "/b/é", "/c", "/\U0010ffff"])
LIMITS = Limits(window_events=6, page_events=3, batch_writes=3)  # small, so that every border is met


class StoreMachine(RuleBasedStateMachine):
    """Every operation in any order, also concurrently, with crashes of the store's memory between."""

    url = "memory:"
    can_reopen = False

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.current = {}
        self.history = []  # (key, value, revision, is_delete, previous revision)
        self.compacted = 0
        self.store = self.run(self.open())

    def open(self):
        return open_url(self.url.format(folder=self.folder.name), LIMITS)

    def run(self, awaitable):
        async def within():
            return await asyncio.wait_for(awaitable, 5)

        return self.runner.run(within())

    def teardown(self):
        self.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    def note(self, record, *, is_delete=False):
        previous = self.current.pop(record.key, None)
        assert record.revision > (self.history[-1][2] if self.history else 0)
        if not is_delete:
            self.current[record.key] = record
        self.history.append(
            (record.key, record.value, record.revision, is_delete, previous.revision if previous else None)
        )

    def state_at(self, revision):
        state = {}
        for key, value, at, is_delete, _ in self.history:
            if at <= revision:
                state.pop(key, None)
                if not is_delete:
                    state[key] = (key, value, at)
        return state

    @rule(key=KEYS)
    def create(self, key):
        if key in self.current:
            with pytest.raises(KeyExistsError):
                self.run(self.store.create(key, lambda _: key.encode()))
        else:
            self.note(self.run(self.store.create(key, lambda revision: f"{key}@{revision}".encode())))

    @rule(key=KEYS, off_by=st.sampled_from([0, 0, 0, 1]), is_delete=st.booleans())
    def change(self, key, off_by, is_delete):
        act = self.store.delete if is_delete else self.store.update
        record = self.current.get(key)
        expected = (record.revision if record else 0) + off_by

        def encode(revision):
            return f"{key}!{revision}".encode()

        if record is None:
            with pytest.raises(KeyNotFoundError):
                self.run(act(key, encode, expected=expected))
        elif off_by:
            with pytest.raises(RevisionConflictError):
                self.run(act(key, encode, expected=expected))
        else:
            self.note(self.run(act(key, encode, expected=expected)), is_delete=is_delete)

    @rule(keys=st.lists(KEYS, min_size=2, max_size=12))
    def concurrently(self, keys):
        """Create or delete many at once; the order of the events decides who won."""

        async def act(key):
            try:
                if key in self.current:
                    expected = self.current[key].revision
                    return await self.store.delete(key, lambda _: key.encode(), expected=expected), True
                return await self.store.create(key, lambda _: key.encode()), False
            except StorageError:
                return None

        async def together():
            return await asyncio.gather(*(act(key) for key in keys))

        done = [outcome for outcome in self.run(together()) if outcome]
        assert len(done) >= len(set(keys))  # of those who want one key, one gets it
        for record, is_delete in sorted(done, key=lambda outcome: outcome[0].revision):
            self.note(record, is_delete=is_delete)

    @rule(share=st.floats(0, 1))
    def compact(self, share):
        revision = int(self.store.revision * share)
        self.run(self.store.compact(revision))
        self.compacted = max(self.compacted, revision)

    @precondition(lambda self: self.can_reopen)
    @rule()
    def reopen(self):
        self.run(self.store.close())
        self.store = self.run(self.open())

    @rule(prefix=PREFIXES, after=st.one_of(st.just(""), KEYS), limit=st.integers(0, 5))
    def scan(self, prefix, after, limit):
        wanted = sorted(key for key in self.current if key.startswith(prefix) and key > after)
        found = self.store.scan(prefix, after=after, limit=limit)
        assert found == [self.current[key] for key in wanted][: limit or None]

    @rule(prefix=PREFIXES, after=st.one_of(st.just(""), KEYS), limit=st.integers(0, 5), share=st.floats(0, 1))
    def scan_the_past(self, prefix, after, limit, share):
        revision = int(self.store.revision * share)
        if revision < self.compacted:
            with pytest.raises(CompactedError):
                self.run(self.store.scan_at(prefix, revision))
            return
        state = self.state_at(revision)
        wanted = sorted(key for key in state if key.startswith(prefix) and key > after)
        found = self.run(self.store.scan_at(prefix, revision, after=after, limit=limit))
        assert [(r.key, r.value, r.revision) for r in found] == [state[key] for key in wanted][
            : limit or None
        ]

    @rule(prefix=PREFIXES, share=st.floats(0, 1))
    def watch(self, prefix, share):
        after = int(self.store.revision * share)
        wanted = [event for event in self.history if event[2] > after and event[0].startswith(prefix)]

        async def read():
            async with aclosing(self.store.watch(prefix, after=after)) as events:
                return [await anext(events) for _ in wanted] if wanted else await self.peek(events)

        if after < self.compacted:
            with pytest.raises(CompactedError):
                self.run(read())
            return
        found = [
            (e.key, e.value, e.revision, e.is_delete, e.previous.revision if e.previous else None)
            for e in self.run(read())
        ]
        assert found == wanted

    @staticmethod
    async def peek(events):
        """Give what a watch has to say at once: nothing, or its refusal."""
        waiting = asyncio.ensure_future(anext(events))
        done, _ = await asyncio.wait([waiting], timeout=0.003)
        if done:
            return [waiting.result()]
        waiting.cancel()
        await asyncio.wait([waiting])
        return []

    @invariant()
    def memory_matches(self):
        assert self.store.compacted == self.compacted
        assert self.store.revision >= (self.history[-1][2] if self.history else 0)
        assert {record.key: record for record in self.store.scan("")} == self.current


class FileMachine(StoreMachine):
    url = "sqlite:///{folder}/roadbed.db"
    can_reopen = True


def check(machine, examples, steps):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.timeout(10)
def test_a_store_in_memory_behaves_as_its_model():
    check(StoreMachine, examples=20, steps=30)


@pytest.mark.timeout(10)
def test_a_store_in_a_file_behaves_as_its_model_over_reopening():
    check(FileMachine, examples=12, steps=30)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("machine", [StoreMachine, FileMachine])
def test_a_store_behaves_as_its_model_at_length(machine):
    check(machine, examples=250, steps=60)


LETTERS = "/ab\ud7ff\ue000\U0010ffff"  # the borders: nothing sorts between the fourth and the fifth


@given(st.text(LETTERS, max_size=4), st.text(LETTERS, max_size=6))
def test_beyond_a_prefix_is_exactly_where_its_keys_end(prefix, key):
    end = beyond(prefix)
    assert key.startswith(prefix) == (key >= prefix and (end == "" or key < end))


def test_keys_sort_as_their_bytes_do_in_the_file():
    keys = [chr(code) for code in (0x20, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF)]
    assert sorted(keys) == sorted(keys, key=str.encode)
    assert Path(beyond("\ud7ff")).name.encode() == "\ue000".encode()
