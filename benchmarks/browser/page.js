// Runs at the beginning of every page, the same on both sides. The page's button has the class "ask", and its label,
// which shows how many clicks were answered, has the class "answer".
globalThis.benchmark = (() => {
  const button = () => document.querySelector("button.ask");
  const answer = () => document.querySelector(".answer");

  /** The time at which the page was as it has to be: right after the change of the document that made it so. */
  function changed(isSo) {
    return new Promise((resolve) => {
      if (isSo()) return resolve(performance.now());
      const observer = new MutationObserver(() => {
        if (!isSo()) return;
        observer.disconnect();
        resolve(performance.now());
      });
      observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    });
  }

  /** The time at which the next frame is painted: the first task after the one that paints it. */
  function painted() {
    return new Promise((resolve) => {
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve(performance.now());
        port2.postMessage(null);
      });
    });
  }

  /** One click: the milliseconds until its answer is in the document, and until it is painted. */
  async function click() {
    const wanted = String(Number(answer().textContent) + 1);
    const begun = performance.now();
    const seen = changed(() => answer()?.textContent === wanted);
    button().click();
    return { seen: (await seen) - begun, painted: (await painted()) - begun };
  }

  /** Click so often, one after the other, each time after a pause of so many milliseconds. */
  async function clicks(pauses) {
    const figures = [];
    for (const pause of pauses) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      figures.push(await click());
    }
    return figures;
  }

  /** The page's way to its first answered click, in milliseconds since the navigation began. */
  async function open() {
    await changed(() => button() !== null && answer() !== null);
    const interactive = await painted();
    await click();
    return { interactive, answered: performance.now() };
  }

  /** What has come over HTTP so far, in bytes; what the cache had counts as nothing. */
  function transferred() {
    const kinds = ["navigation", "resource"];
    const entries = kinds.flatMap((kind) => performance.getEntriesByType(kind));
    return entries.reduce((sum, entry) => sum + entry.transferSize, 0);
  }

  performance.setResourceTimingBufferSize(10_000);
  return { opened: open(), clicks, transferred };
})();
