/** What the end of a connection means for the page. Pure: no sockets, no clocks. */

/** How one connection, or one attempt at one, ended. */
export interface Ending {
  /** Whether the handshake had completed. */
  readonly opened: boolean;
  readonly code: number;
  /** One machine-readable word from the server, or "". */
  readonly reason: string;
}

export type Verdict =
  /** The kernel has ended; the reason is one machine-readable word. */
  | { readonly kind: "ended"; readonly reason: string }
  /** Connect again, without waiting if nothing has failed lately. */
  | { readonly kind: "now" }
  /** Connect again after a wait. `full`: the server said that it has no room for more sessions now. */
  | { readonly kind: "later"; readonly full: boolean }
  /** The socket cannot tell; ask over HTTP whether the kernel is still there. */
  | { readonly kind: "ask" };

const NORMAL = 1000;
const GOING_AWAY = 1001;
const NETWORK_LOST = 1006;
const RESTART = 1012;
const TRY_AGAIN_LATER = 1013;
const GONE = 4410;

export function interpretEnding({ opened, code, reason }: Ending): Verdict {
  if (code === NORMAL) return { kind: "ended", reason: reason || "closed" };
  if (code === GONE) return { kind: "ended", reason: reason || "gone" };
  if (code === RESTART) return { kind: "now" };
  // A browser tells a refused handshake (403, 404, 503) and an unreachable server apart to nobody: both are a 1006 of a
  // socket that never opened. The other 4xxx codes are for servers newer than this page.
  if (!opened || code >= 4000) return { kind: "ask" };
  // A page that was too slow is told the same code with another reason.
  return { kind: "later", full: code === TRY_AGAIN_LATER && reason === "kernel-limit" };
}

/** Whether a connection that ended with this code ended for reasons of others, not for what the page did on it. */
export function isFaultless(code: number): boolean {
  return code === RESTART || code === GOING_AWAY || code === NETWORK_LOST;
}

/** The part of a fetch Response that the verdict needs. */
export interface Answer {
  readonly status: number;
  /** "opaqueredirect" is a redirect that was not followed. */
  readonly type: string;
  json(): Promise<unknown>;
}

/** What the answer to `GET …/api/kernels/{id}` means. Never rejects. */
export async function interpretAnswer(answer: Answer): Promise<Exclude<Verdict, { kind: "ask" }>> {
  // Something in front of the app wants the person to sign in again: no retry can succeed.
  if (answer.status === 401 || answer.type === "opaqueredirect") return { kind: "ended", reason: "signed-out" };
  const reason = await reasonIn(answer);
  // Without a reason these are not our server's words but a proxy's error page, while the app behind it is replaced.
  if ((answer.status === 403 || answer.status === 404) && reason !== null) return { kind: "ended", reason };
  return { kind: "later", full: answer.status === 503 && reason === "kernel-limit" };
}

/** The machine-readable word in the body; "unknown" where there is a JSON body without one, null where there is none. */
async function reasonIn(answer: Answer): Promise<string | null> {
  try {
    const body = await answer.json();
    const reason = typeof body === "object" && body !== null && "reason" in body ? body.reason : null;
    return typeof reason === "string" && reason ? reason : "unknown";
  } catch {
    return null;
  }
}
