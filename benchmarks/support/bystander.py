"""How late a process comes that has nothing to do: what the machine's other work adds to every pause that is measured.

`python -m benchmarks.support.bystander` prints, for each line that it reads, the longest lateness in seconds since the
line before.
"""

import sys
import threading
import time

TICK_S = 0.002


class Bystander:
    """Sleeps a little, again and again, and notes by how much it overslept."""

    def __init__(self) -> None:
        self._longest_s = 0.0

    def take(self) -> float:
        longest, self._longest_s = self._longest_s, 0.0
        return longest

    def run(self) -> None:
        while True:
            due = time.perf_counter() + TICK_S
            time.sleep(TICK_S)
            self._longest_s = max(self._longest_s, time.perf_counter() - due)


def main() -> None:
    bystander = Bystander()
    threading.Thread(target=bystander.run, daemon=True).start()
    for _line in sys.stdin:
        print(bystander.take(), flush=True)


if __name__ == "__main__":
    main()
