/** Asks over HTTP what became of the kernel, where a websocket cannot tell. */
import { interpretAnswer, type Verdict } from "./verdict";

const PROBE_LIMIT_MS = 10_000;

/** Never rejects: a network that fails means "later". */
export async function probeKernel(path: string, signal: AbortSignal): Promise<Exclude<Verdict, { kind: "ask" }>> {
  try {
    const answer = await fetch(path, {
      cache: "no-store",
      credentials: "same-origin",
      headers: { Accept: "application/json" },
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(PROBE_LIMIT_MS)]),
    });
    return await interpretAnswer(answer);
  } catch {
    return { kind: "later", full: false };
  }
}
