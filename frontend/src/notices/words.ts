/** What the page says about its connection, for a person who does not know what a kernel is. */

export interface Words {
  readonly title: string;
  readonly text: string;
}

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
  unknown: {
    title: "This session is no longer there",
    text: "The server does not know this session. It may have been restarted since the page was opened.",
  },
};

const OTHERWISE: Words = { title: "This session has ended", text: "The app has ended this session." };

/** Why a session ended. The reason is the server's machine-readable word; one that is not known gets general words. */
export function wordsForEnd(reason: string): Words {
  // Own properties only: a reason such as "constructor" must not find Object's.
  return (Object.hasOwn(ENDED, reason) && ENDED[reason]) || (reason === "gone" && ENDED.unknown) || OTHERWISE;
}

export const CONNECTING = "Connecting…";
export const UNREACHABLE = "The server cannot be reached. Trying again…";
export const RECONNECTING = "Connection lost. Reconnecting…";
export const RECONNECTING_STILL = "Still no connection. Trying again…";
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
