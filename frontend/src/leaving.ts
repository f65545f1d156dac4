/** Comings and goings of the page itself: the close beacon, and the moments at which a retry is worth making at once. */

export interface LeavingPorts {
  /** The path to tell that the page has gone. */
  readonly closePath: string;
  sendBeacon(path: string): void;
}

/**
 * Tell the server when the page is left for good.
 *
 * `pagehide` and not `beforeunload`, which fires for downloads and `mailto:` links too. A page that goes into the
 * back/forward cache (`persisted`) may return, so it is not closed.
 */
export function announceLeaving(window: EventTarget, ports: LeavingPorts, signal: AbortSignal): void {
  window.addEventListener(
    "pagehide",
    (event) => {
      if (!(event as PageTransitionEvent).persisted) ports.sendBeacon(ports.closePath);
    },
    { signal },
  );
}

/**
 * Call `wake` when the network returns, the tab is looked at again, or the page returns from the back/forward cache or
 * from being frozen.
 */
export function wakeOnReturn(window: EventTarget, document: Document, wake: () => void, signal: AbortSignal): void {
  window.addEventListener("online", wake, { signal });
  document.addEventListener("resume", wake, { signal });
  window.addEventListener(
    "pageshow",
    (event) => {
      if ((event as PageTransitionEvent).persisted) wake();
    },
    { signal },
  );
  document.addEventListener(
    "visibilitychange",
    () => {
      if (document.visibilityState === "visible") wake();
    },
    { signal },
  );
}
