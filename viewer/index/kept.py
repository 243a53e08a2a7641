"""Values that take long to make, made once and kept: who needs one waits for it, and who needs another one does not."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Locks:
    """A lock for each name, for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[Hashable, tuple[threading.Lock, int]] = {}

    @contextlib.contextmanager
    def holding(self, name: Hashable) -> Iterator[None]:
        """Hold the lock of a name."""
        with self._lock:
            mine, waiting = self._of.get(name, (threading.Lock(), 0))
            self._of[name] = mine, waiting + 1
        try:
            with mine:
                yield
        finally:
            with self._lock:
                _, waiting = self._of.pop(name)
                if waiting > 1:
                    self._of[name] = mine, waiting - 1


class Kept(Generic[K, V]):
    """The values that were asked for last. Safe for many threads.

    `is_full` says of the kept values, the one that was asked for longest ago first, whether they are too many.
    """

    def __init__(self, is_full: Callable[[Mapping[K, V]], bool]) -> None:
        self._is_full = is_full
        self._lock = threading.Lock()
        self._making = Locks()
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V], is_current: Callable[[V], bool] = lambda _: True) -> V:
        """The value of a key; made anew if it is not kept, or not current. What `make` raises is not kept."""
        if (found := self._find(key)) is not None and is_current(found):
            return found
        with self._making.holding(key):
            if (found := self._find(key)) is not None and is_current(found):
                return found  # Another thread has made it meanwhile.
            made = make()
            with self._lock:
                self._values[key] = made
                self._values.move_to_end(key)
                while len(self._values) > 1 and self._is_full(self._values):
                    self._values.popitem(last=False)
            return made

    def _find(self, key: K) -> V | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)
