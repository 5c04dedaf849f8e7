"""A lane: a bounded queue and the threads that work it. What is in one lane never waits for what is in another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

QUEUE_MOST = 1_024
"""Tasks that wait in one thread's queue; one more is not taken."""

JOIN_SECONDS = 5

Task = TypeVar("Task")


class Lane(Generic[Task]):
    """Tasks of one key go to one thread, in their order. `work` gets all that waits there, up to `together` at once."""

    def __init__(self, name: str, work: Callable[[list[Task]], None], *, threads: int = 1, together: int = 1) -> None:
        self._name, self._work, self._together = name, work, together
        self._queues: list[Queue[Task | None]] = [Queue(QUEUE_MOST) for _ in range(threads)]
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()

    def start(self) -> None:
        """Start the threads."""
        for number, queue in enumerate(self._queues):
            thread = threading.Thread(target=self._run, args=(queue,), name=f"{self._name} {number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def put(self, task: Task, key: str = "") -> bool:
        """Queue a task, never blocking; False where the queue is full or the lane is closed."""
        if self._closing.is_set():
            return False
        try:
            self._queues[sum(key.encode()) % len(self._queues)].put_nowait(task)
        except Full:
            return False
        return True

    def pause(self, seconds: float) -> bool:
        """For a task: wait so long; False where the lane is being closed."""
        return not self._closing.wait(seconds)

    def close(self) -> None:
        """End the threads; what waits is not done. Idempotent."""
        self._closing.set()
        for queue in self._queues:
            try:
                queue.put_nowait(None)
            except Full:
                continue  # then its thread finds a task, and that the lane is closing
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(JOIN_SECONDS)

    def _run(self, queue: Queue[Task | None]) -> None:
        while not self._closing.is_set():
            tasks = [queue.get()]
            while len(tasks) < self._together:
                try:
                    tasks.append(queue.get_nowait())
                except Empty:
                    break
            found = [task for task in tasks if task is not None]
            if found and not self._closing.is_set():
                self._work(found)
