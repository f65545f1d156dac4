"""How much the misbehaving pages take; the tests know it too, and must not import the pages with all that they set."""

UPDATES = 10_000
"""Of one label, in one callback."""
PIXELS = 2_600
"""Width and height of a picture that has 20 MB."""
MEMORY = 200_000_000
"""In bytes."""
SLEEP_S = 3.0
"""Longer than a step of a close may take."""
