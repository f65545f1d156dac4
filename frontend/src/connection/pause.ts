/** Waiting that ends early: by a wake-up call, or with the page. */

/** Resolves after `ms`, or as soon as one of the signals aborts. Never rejects, and leaves no timer behind. */
export function pause(ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = new AbortController();
    const finish = () => {
      clearTimeout(timer);
      done.abort();
      resolve();
    };
    const timer = setTimeout(finish, ms);
    for (const signal of signals) {
      if (signal.aborted) return finish();
      signal.addEventListener("abort", finish, { signal: done.signal });
    }
  });
}
