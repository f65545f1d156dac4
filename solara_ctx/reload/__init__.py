"""`solara-ctx run --reload`: the app's own code is imported anew in the running server, and shown."""
