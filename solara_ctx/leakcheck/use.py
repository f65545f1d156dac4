"""How a page is used: everything on it once, or as a script of the user's says."""

import contextlib
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import ElementHandle, Error, Page

from solara_ctx.serving import UsageError, load_file

Use = Callable[[Page], Awaitable[object]]

# A page may show more with each click; this is enough for any, and ends.
_MOST_ACTIONS = 40
_ACTION_TIMEOUT_MS = 3000.0
# Finds the next control that was not used in this round.  Tabs and accordions last: they hide what is open now.
_NEXT = """
() => {
  const root = document.getElementById('solara-app');
  const used = (window.__leakcheckUsed ??= new WeakSet());
  const kinds = [
    ['slider', '.noUi-handle, input[type=range], [role=slider]'],
    ['choose', 'select'],
    ['toggle', 'input[type=checkbox], input[type=radio]'],
    ['number', 'input[type=number]'],
    ['text', 'input[type=text], input[type=search], input[type=email], input:not([type]), textarea, ' +
      '[contenteditable=true]'],
    ['click', 'button, [role=button], input[type=button], input[type=submit]'],
    ['open', '[role=tab], .lm-TabBar-tab, .jupyter-widget-Collapse-header'],
  ];
  const usable = (it) => {
    const box = it.getBoundingClientRect();
    const style = getComputedStyle(it);
    return box.width > 0 && box.height > 0 && style.visibility === 'visible' && !it.disabled && !it.readOnly;
  };
  for (const [kind, selector] of kinds) {
    for (const it of root?.querySelectorAll(selector) ?? []) {
      if (used.has(it) || !usable(it)) continue;
      used.add(it);
      it.dataset.leakcheck = kind;
      return it;
    }
  }
  return null;
}
"""
_FORGET = "() => { window.__leakcheckUsed = new WeakSet(); window.__leakcheckRound = !window.__leakcheckRound; }"
_ROUND = "() => window.__leakcheckRound"
_CHOOSE = """
(it) => {
  it.selectedIndex = (it.selectedIndex + 1) % it.options.length;
  it.dispatchEvent(new Event('input', {bubbles: true}));
  it.dispatchEvent(new Event('change', {bubbles: true}));
}
"""


async def use_everything(page: Page) -> None:
    """Move each slider, choose, toggle, type, click each button, open each tab, and use what appears.

    Only what is inside the page; never a link.  The values go to and fro: a page that is used twice is as before.
    """
    await page.evaluate(_FORGET)
    odd = bool(await page.evaluate(_ROUND))
    for _ in range(_MOST_ACTIONS):
        found = (await page.evaluate_handle(_NEXT)).as_element()
        if found is None:
            return
        # A control that vanishes, or is covered by another, was not there for a person either.
        with contextlib.suppress(Error):
            await _act(found, await found.get_attribute("data-leakcheck") or "", odd=odd)
        with contextlib.suppress(Error):
            await found.dispose()


def load_script(path: Path) -> Use:
    """The `use` of a script: `async def use(page)`, with a page of Playwright's asynchronous API.

    Raises:
        UsageError: there is no such file or function.
    """
    if not path.is_file():
        raise UsageError(f"there is no script {path}")
    use = getattr(load_file(path), "use", None)
    if not inspect.iscoroutinefunction(use):
        raise UsageError(f"{path} has no `async def use(page)`")
    return use


async def _act(found: ElementHandle, kind: str, *, odd: bool) -> None:
    if kind == "slider":
        await found.focus()
        await found.press("ArrowRight" if odd else "ArrowLeft")
    elif kind == "choose":
        await found.evaluate(_CHOOSE)
    elif kind == "number":
        await found.fill("3" if odd else "2", timeout=_ACTION_TIMEOUT_MS)
        await found.press("Enter")
    elif kind == "text":
        await found.fill("leakcheck" if odd else "check", timeout=_ACTION_TIMEOUT_MS)
        await found.press("Enter")
    else:
        await found.click(timeout=_ACTION_TIMEOUT_MS, no_wait_after=True)
