/** Files in pieces, against a scripted kernel. */
import type { Kernel } from "@jupyterlab/services";
import { beforeEach, expect, test, vi } from "vitest";
import { INTERRUPTED, PIECE, UploadError, upload, WINDOW } from "../../src/page/upload";

type Said = { readonly offset: number; readonly bytes: number };

class FakeComm {
  opened: unknown = null;
  readonly pieces: Said[] = [];
  stopped = false;
  isDisposed = false;
  onMsg: (msg: unknown) => void = () => {};
  onClose: () => void = () => {};
  open(data: unknown): void {
    this.opened = data;
  }
  send({ offset, stop }: { offset: number; stop?: boolean }, _: unknown, [piece]: ArrayBuffer[]): void {
    if (stop) this.stopped = true;
    else this.pieces.push({ offset, bytes: piece?.byteLength ?? 0 });
  }
  dispose(): void {
    this.isDisposed = true;
  }
  /** What the kernel says. */
  tell(data: object): void {
    this.onMsg({ content: { data } });
  }
}

let comm: FakeComm;
let stop: AbortController;
let lost: AbortController;
const progress = vi.fn<(part: number) => void>();

beforeEach(() => {
  comm = new FakeComm();
  stop = new AbortController();
  lost = new AbortController();
  progress.mockReset();
});

const file = (size: number, name = "a.bin") => new File([new Uint8Array(size)], name, { type: "x/y", lastModified: 5 });
const begin = (...files: File[]) =>
  upload({ comm: comm as unknown as Kernel.IComm, widget: "w", files, stop: stop.signal, lost: lost.signal, progress });
const untilSent = (count: number) => vi.waitFor(() => expect(comm.pieces).toHaveLength(count));

test("nothing is sent before the kernel is ready, and it ends when the kernel has all", async () => {
  const done = begin(file(PIECE + 1), file(0), file(2, "b"));
  expect(comm.opened).toEqual({
    widget: "w",
    files: [PIECE + 1, 0, 2].map((size, i) => ({
      name: i === 2 ? "b" : "a.bin",
      type: "x/y",
      size,
      last_modified: 5,
    })),
  });
  expect(comm.pieces).toEqual([]);
  comm.tell({ status: "ready" });
  await untilSent(3);
  expect(comm.pieces).toEqual([
    { offset: 0, bytes: PIECE },
    { offset: PIECE, bytes: 1 },
    { offset: PIECE + 1, bytes: 2 },
  ]);
  comm.tell({ received: PIECE + 3 });
  expect(progress).toHaveBeenLastCalledWith(1);
  comm.tell({ status: "done" });
  await done;
  expect([comm.isDisposed, comm.stopped]).toEqual([true, false]);
});

test("no more is on its way than the window holds", async () => {
  const done = begin(file(WINDOW + PIECE));
  comm.tell({ status: "ready" });
  await untilSent(WINDOW / PIECE);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(comm.pieces).toHaveLength(WINDOW / PIECE);
  comm.tell({ received: PIECE });
  await untilSent(WINDOW / PIECE + 1);
  comm.tell({ status: "done" });
  await done;
});

test("a refusal is told in the kernel's words", async () => {
  const done = begin(file(1));
  comm.tell({ status: "refused", reason: "too much" });
  await expect(done).rejects.toEqual(new UploadError("too much"));
});

test("a comm that the kernel closes is an interruption", async () => {
  const done = begin(file(1));
  comm.tell({ status: "ready" });
  comm.isDisposed = true;
  comm.onClose();
  await expect(done).rejects.toThrow(INTERRUPTED);
});

test("what is on its way when the connection loses it is an interruption, of which nobody can be told", async () => {
  const done = begin(file(1));
  lost.abort();
  await expect(done).rejects.toThrow(INTERRUPTED);
  expect([comm.isDisposed, comm.stopped]).toEqual([true, false]);
});

test("who stops it tells the kernel", async () => {
  const done = begin(file(1));
  stop.abort("enough");
  await expect(done).rejects.toBe("enough");
  expect([comm.isDisposed, comm.stopped]).toEqual([false, true]);
  comm.tell({ received: 1 });
  expect(comm.isDisposed).toBe(false);
  comm.tell({ status: "stopped" });
  expect(comm.isDisposed).toBe(true);
  comm = new FakeComm();
  await expect(begin(file(1))).rejects.toBe("enough");
  expect(comm.opened).toBeNull();
});

test("a file that can't be read is named", async () => {
  const bad = file(1, "gone.txt");
  bad.slice = () => {
    throw new DOMException("gone", "NotReadableError");
  };
  const done = begin(bad);
  comm.tell({ status: "ready" });
  await expect(done).rejects.toThrow("gone.txt can't be read.");
});
