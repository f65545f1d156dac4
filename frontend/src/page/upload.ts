/** Sends files to the kernel in pieces, as `solara_ctx/jupyter/upload.py` says word by word. Knows nothing of the DOM. */
import type { Kernel } from "@jupyterlab/services";

export const UPLOAD_TARGET = "solara_ctx.upload";
/** Bytes. Small, so that what a person does meanwhile waits behind little. */
export const PIECE = 262_144;
/** Bytes that may be on their way: enough for a distant server, and no more than is kept while a connection is lost. */
export const WINDOW = 8 * PIECE;

/** The files did not arrive; the message says why, for people. */
export class UploadError extends Error {}

export interface Upload {
  /** Not open yet. */
  readonly comm: Kernel.IComm;
  /** The model id of the widget that they are for. */
  readonly widget: string;
  readonly files: readonly File[];
  /** Aborted when nobody wants it any more; it ends with the signal's reason. */
  readonly stop: AbortSignal;
  /** Aborted when what is on its way is lost. */
  readonly lost: AbortSignal;
  /** Told the part that has arrived, from 0 to 1. */
  progress(part: number): void;
}

/** Resolves when the widget has the files. */
export async function upload({ comm, widget, files, stop, lost, progress }: Upload): Promise<void> {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let status = "opening";
  let received = 0;
  let failure: unknown;
  let wake = () => {};
  const fail = (reason: unknown) => {
    failure ??= reason;
    wake();
  };
  const until = async (condition: () => boolean) => {
    while (failure === undefined && !condition()) await new Promise<void>((resolve) => (wake = resolve));
    if (failure !== undefined) throw failure;
  };
  comm.onMsg = ({ content: { data } }) => {
    if (typeof data.received === "number") {
      received = data.received;
      progress(received / total);
    } else status = String(data.status);
    if (status === "refused") fail(new UploadError(String(data.reason)));
    wake();
  };
  comm.onClose = () => fail(new UploadError(INTERRUPTED));
  stop.throwIfAborted();
  const over = new AbortController();
  stop.addEventListener("abort", () => fail(stop.reason), { signal: over.signal });
  lost.addEventListener("abort", () => fail(new UploadError(INTERRUPTED)), { signal: over.signal });
  try {
    comm.open({
      widget,
      files: files.map(({ name, type, size, lastModified }) => ({ name, type, size, last_modified: lastModified })),
    });
    await until(() => status !== "opening");
    let sent = 0;
    for await (const piece of piecesOf(files)) {
      await until(() => sent - received + piece.byteLength <= WINDOW);
      comm.send({ offset: sent }, {}, [piece], true);
      sent += piece.byteLength;
    }
    await until(() => status === "done");
  } finally {
    over.abort();
    end(comm, lost.aborted || ENDS.has(status));
  }
}

/** What the kernel says last. */
const ENDS = new Set(["refused", "done", "stopped"]);

export const INTERRUPTED = "The upload was interrupted. Please try again.";

function end(comm: Kernel.IComm, isOver: boolean): void {
  if (isOver || comm.isDisposed) {
    comm.dispose();
    return;
  }
  // Other answers may be on their way, and would find nobody.
  comm.onMsg = ({ content: { data } }) => {
    if (ENDS.has(String(data.status))) comm.dispose();
  };
  comm.send({ stop: true }, {}, [], true);
}

async function* piecesOf(files: readonly File[]): AsyncGenerator<ArrayBuffer> {
  for (const file of files) {
    for (let start = 0; start < file.size; start += PIECE) {
      try {
        yield await file.slice(start, start + PIECE).arrayBuffer();
      } catch {
        throw new UploadError(`${file.name} can't be read.`);
      }
    }
  }
}
