/** How long to wait before the next attempt to connect. */

/** Longest wait, in milliseconds: a person who is looking at the page should not wait longer than this. */
export const LONGEST_WAIT_MS = 15_000;
const FIRST_WAIT_MS = 250;

/**
 * Milliseconds to wait before an attempt.
 *
 * The wait doubles with each failure and is drawn from the upper half of its range: a server that restarts loses all its
 * pages in one instant, and without the draw they would all come back in one instant too.
 *
 * @param failures Attempts that have failed in a row, from 0.
 * @param random Uniform in [0, 1).
 */
export function waitBefore(failures: number, random: () => number): number {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 16));
  return most / 2 + (random() * most) / 2;
}
