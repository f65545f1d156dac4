"""What the widgets of a page cost by themselves: `python -m benchmarks.pages.bare PAGES`, an answer in JSON.

The same page is built as often in a process without a server, a kernel or a connection.  Its widgets' comms are comm's
own `DummyComm`, which sends nothing anywhere.
"""

import json
import sys

from benchmarks.pages.page import build
from benchmarks.support.probe import memory

_WARM_UP = 10


def main() -> None:
    count = int(sys.argv[1])
    kept = [build() for _ in range(_WARM_UP)]
    before = memory()
    kept += [build() for _ in range(count)]
    after = memory()
    print(json.dumps({"before": before, "after": after, "pages": len(kept) - _WARM_UP}))


if __name__ == "__main__":
    main()
