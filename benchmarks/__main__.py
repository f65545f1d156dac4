"""All benchmarks, one after the other: `python -m benchmarks`; or one: `python -m benchmarks roundtrip --rounds 3`.

The same as `python3 dev.py bench`: makes a virtual environment with the other systems, and measures in that.
"""

import sys

import dev

if __name__ == "__main__":
    sys.argv[:1] = ["dev.py", "bench"]
    dev.main()
