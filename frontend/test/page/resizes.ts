/** jsdom lays nothing out: a stand-in for what tells of changes of size, until the globals are unstubbed. */
import { vi } from "vitest";

/** Returns what tells the observer that was made last, unless it is disconnected. */
export function stubResizes(): () => void {
  let resized = () => {};
  vi.stubGlobal(
    "ResizeObserver",
    class {
      constructor(callback: () => void) {
        resized = callback;
      }
      observe() {}
      disconnect() {
        resized = () => {};
      }
    },
  );
  return () => resized();
}
