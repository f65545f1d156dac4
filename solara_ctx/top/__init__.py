"""`solara-ctx top`: the kernels of a running server in a terminal.  Needs `rich`, and a terminal for its keys."""
