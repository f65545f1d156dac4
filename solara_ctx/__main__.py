"""`python -m solara_ctx` is `solara-ctx`."""

import sys

from solara_ctx.cli import main

sys.exit(main())
