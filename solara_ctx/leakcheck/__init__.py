"""Checking an app for leaks before it is in production: `solara-ctx leakcheck`, and `leak_check` for pytest."""
