"""What the checks ask a page of ours: JavaScript for `evaluate` and `wait_for_function` of Playwright."""

SHOWN = "() => ['open', 'error', 'ended'].includes(document.getElementById('solara-app')?.dataset.solaraState)"
"""Whether it shows its widgets, or why not."""
STATE = "() => document.getElementById('solara-app').dataset.solaraState"
"""Which of them: "open", "error" or "ended"."""
ANSWERED = "() => !document.getElementById('solara-app')?.solaraBusy"
"""Whether the kernel has answered all that the page has asked it; also where the browser is on no page of ours."""
POLL_MS = 10.0
"""Between two looks.  A page in the background is not drawn, for which Playwright would wait else."""
