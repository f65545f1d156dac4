import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BUSY_AFTER_MS, Busy } from "../../src/page/busy";

const shown = () => document.querySelector(".solara-notice-busy")?.textContent ?? null;

describe("a kernel at work", () => {
  const interrupt = vi.fn();
  let busy: Busy;

  beforeEach(() => {
    vi.useFakeTimers();
    interrupt.mockReset();
    busy = new Busy({ document, interrupt });
  });

  afterEach(() => {
    busy.set(false);
    vi.useRealTimers();
  });

  it("is not worth a word for a moment", () => {
    busy.set(true);
    vi.advanceTimersByTime(BUSY_AFTER_MS - 1);
    expect(shown()).toBeNull();
    busy.set(false);
    vi.advanceTimersByTime(10 * BUSY_AFTER_MS);
    expect(shown()).toBeNull();
  });

  it("is shown after it, counted from its beginning, until it has ended", () => {
    busy.set(true);
    vi.advanceTimersByTime(BUSY_AFTER_MS / 2);
    busy.set(true);
    vi.advanceTimersByTime(BUSY_AFTER_MS / 2);
    expect(shown()).toBe("Working…Stop");
    busy.set(true);
    vi.advanceTimersByTime(BUSY_AFTER_MS);
    expect(document.querySelectorAll(".solara-notice-busy")).toHaveLength(1);
    busy.set(false);
    expect(shown()).toBeNull();
    busy.set(true);
    vi.advanceTimersByTime(BUSY_AFTER_MS);
    expect(shown()).toBe("Working…Stop");
  });

  it("can be asked to stop, once", () => {
    busy.set(true);
    vi.advanceTimersByTime(BUSY_AFTER_MS);
    document.querySelector<HTMLButtonElement>(".solara-notice-busy button")?.click();
    expect(interrupt).toHaveBeenCalledOnce();
    expect(shown()).toBe("Stopping…");
  });
});
