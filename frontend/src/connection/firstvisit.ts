/**
 * Pages of one browser that are its first here, and load in the same moment: two frames of a dashboard, or tabs that are
 * restored. Each is answered with a session cookie of its own, and only that of the last one stays. The others' kernel
 * ids are of sessions that nobody has any more; loaded anew, they are of the one that has stayed.
 */

const STRANGE: ReadonlySet<string> = new Set(["invalid-kernel-id", "foreign-session", "no-session", "expired"]);
const MOST_TRIES = 3;
const KEY = "solaraTries";

/** The part of a window's history that outlives that the page is loaded anew, and that each frame has for itself. */
export type Entry = Pick<History, "state" | "replaceState">;

/** Whether to load a page anew that was refused for *reason*, and has never been let in; counts the tries. */
export function triesAnew(reason: string, entry: Entry): boolean {
  const tried: number = entry.state?.[KEY] ?? 0;
  if (!STRANGE.has(reason) || tried >= MOST_TRIES) return false;
  entry.replaceState({ ...entry.state, [KEY]: tried + 1 }, "");
  return true;
}

/** The page is let in: it has all its tries again. */
export function forgetTries(entry: Entry): void {
  if (entry.state?.[KEY] === undefined) return;
  const { [KEY]: _, ...rest } = entry.state;
  entry.replaceState(rest, "");
}
