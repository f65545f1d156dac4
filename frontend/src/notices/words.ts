/** What the page says about its connection, for a person who does not know what a kernel is. */

export interface Words {
  readonly title: string;
  readonly text: string;
}

const UNKNOWN: Words = {
  title: "This session is no longer there",
  text: "The server does not know this session. It may have been restarted since the page was opened.",
};

const ENDED: Readonly<Record<string, Words>> = {
  culled: {
    title: "This session has timed out",
    text: "The page was out of touch for a long while, so the server let its session go.",
  },
  "page-closed": {
    title: "This session was closed",
    text: "The page was left, and its session ended with it.",
  },
  evicted: {
    title: "This session made room for others",
    text: "The server was full, and this session was among those that had been idle.",
  },
  "server-shutdown": {
    title: "The server was stopped",
    text: "The session ended when the server was shut down.",
  },
  "signed-out": {
    title: "You have been signed out",
    text: "Signing in again is needed before the page can go on.",
  },
  "foreign-user": {
    title: "This page belongs to somebody else",
    text: "Another user has signed in or out in this browser since it was opened.",
  },
  "no-session": {
    title: UNKNOWN.title,
    text: `${UNKNOWN.text} If this comes back, please check that the browser accepts cookies from this site.`,
  },
  "foreign-origin": {
    title: "This page may not connect here",
    text: "The server does not accept connections from this address.",
  },
  "no-such-page": {
    title: "This page is no longer there",
    text: "The app has no page at this address any more.",
  },
  "restart-failed": {
    title: "This session could not be restarted",
    text: "Something went wrong in the app while its session was being restarted.",
  },
  operator: {
    title: "This session was ended",
    text: "Somebody who runs the server has ended it.",
  },
  "shutdown-requested": {
    title: "This session was shut down",
    text: "Somebody asked the server to end it.",
  },
  // A server that was restarted cannot tell its old ids from made-up ones.
  unknown: UNKNOWN,
  gone: UNKNOWN,
  // Nor an id that was used long ago from one that never was.
  expired: UNKNOWN,
  "invalid-kernel-id": UNKNOWN,
  "foreign-session": UNKNOWN,
};

const OTHERWISE: Words = { title: "This session has ended", text: "The app has ended this session." };

/** Why a session ended. The reason is the server's machine-readable word; one that is not known gets general words. */
export function wordsForEnd(reason: string): Words {
  // Own properties only: a reason such as "constructor" must not find Object's.
  return (Object.hasOwn(ENDED, reason) && ENDED[reason]) || OTHERWISE;
}

/** Failed attempts after which the words admit that this may take longer. */
const STILL_AFTER_FAILURES = 6;

interface Trying {
  readonly failures: number;
  readonly full: boolean;
}

const FULL = "The server is full at the moment. Trying again…";

export function wordsForConnecting({ failures, full }: Trying): string {
  if (full) return FULL;
  return failures === 0 ? "Connecting…" : "The server cannot be reached. Trying again…";
}

export function wordsForReconnecting({ failures, full }: Trying): string {
  if (full) return FULL;
  return failures < STILL_AFTER_FAILURES ? "Connection lost. Reconnecting…" : "Still no connection. Trying again…";
}

export const START_AFRESH = "Start afresh";
export const TRY_NOW = "Try now";
export const PAGE_FAILED: Words = {
  title: "This page could not be shown",
  text: "Something went wrong in the app while it prepared the page. Trying again may help; if it does not, please tell whoever runs it.",
};
export const PAGE_FAILED_DEBUG = "The page function raised this error:";
export const NOT_LOADED: Words = {
  title: "This page could not be loaded",
  text: "A part of the page did not arrive from the server.",
};
export const TRY_AGAIN = "Try again";
