import { expect, test, vi } from "vitest";
import { probeKernel } from "../../src/connection/probe";

const signal = new AbortController().signal;

test("the kernel is asked for past every cache, with the session cookie, following no redirect", async () => {
  const fetch = vi.spyOn(globalThis, "fetch").mockResolvedValue(Response.json({ id: "k", execution_state: "idle" }));
  expect(await probeKernel("/api/kernels/k", signal)).toEqual({ kind: "later", full: false });
  expect(fetch.mock.lastCall?.[0]).toBe("/api/kernels/k");
  expect(fetch.mock.lastCall?.[1]).toMatchObject({ cache: "no-store", credentials: "same-origin", redirect: "manual" });
});

test("a network that fails means later", async () => {
  vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("Failed to fetch"));
  expect(await probeKernel("/api/kernels/k", signal)).toEqual({ kind: "later", full: false });
});

test("the server's reason is taken over", async () => {
  vi.spyOn(globalThis, "fetch").mockResolvedValue(Response.json({ message: "…", reason: "evicted" }, { status: 404 }));
  expect(await probeKernel("/api/kernels/k", signal)).toEqual({ kind: "ended", reason: "evicted" });
});
