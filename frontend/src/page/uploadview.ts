/** The upload button: shows how far it has come, and what went wrong. */
import * as controls from "@jupyter-widgets/controls/lib/widget_upload";
import type { WidgetManager } from "./manager";
import { INTERRUPTED, UPLOAD_TARGET, UploadError, upload } from "./upload";

export { FileUploadModel } from "@jupyter-widgets/controls/lib/widget_upload";

/** By page: the kernel takes one upload of a page at a time. */
const lines = new WeakMap<WidgetManager, Promise<unknown>>();

function inLine(manager: WidgetManager, job: () => Promise<void>): Promise<void> {
  const turn = (lines.get(manager) ?? Promise.resolve()).then(job);
  lines.set(
    manager,
    turn.catch(() => {}),
  );
  return turn;
}

export class FileUploadView extends controls.FileUploadView {
  #running: { readonly stop: AbortController; percent: number } | null = null;
  #note: HTMLElement | null = null;

  override render(): void {
    super.render();
    // Upstream's listeners, which come later, read all files at once, and open the dialogue.
    this.fileInput.addEventListener(
      "change",
      (event) => {
        event.stopImmediatePropagation();
        void this.#send([...(this.fileInput.files ?? [])]);
      },
      { capture: true },
    );
    this.el.addEventListener(
      "click",
      (event) => {
        if (!this.#running) return;
        event.stopImmediatePropagation();
        this.#running.stop.abort();
      },
      { capture: true },
    );
  }

  override update(): void {
    super.update();
    const running = this.#running;
    this.el.classList.toggle("solara-uploading", running !== null);
    this.el.setAttribute("aria-busy", String(running !== null));
    if (!running) return;
    this.el.textContent = `Uploading ${running.percent} %`;
    this.el.title = "Stop the upload";
    this.el.style.setProperty("--solara-uploaded", `${running.percent}%`);
  }

  override remove(): void {
    this.#running?.stop.abort();
    this.#note?.remove();
    super.remove();
  }

  async #send(files: readonly File[]): Promise<void> {
    if (files.length === 0) return;
    this.#say("");
    const stop = new AbortController();
    const running = { stop, percent: 0 };
    this.#running = running;
    this.update();
    const manager = this.model.widget_manager as unknown as WidgetManager;
    try {
      await inLine(manager, () =>
        upload({
          comm: manager.createComm(UPLOAD_TARGET),
          widget: this.model.model_id,
          files,
          stop: stop.signal,
          lost: manager.stream,
          progress: (part) => {
            running.percent = Math.floor(part * 100);
            this.update();
          },
        }),
      );
    } catch (error) {
      if (!stop.signal.aborted) this.#failed(error);
    } finally {
      this.#running = null;
      this.update();
    }
  }

  #failed(error: unknown): void {
    const text = error instanceof UploadError ? error.message : INTERRUPTED;
    this.#say(text);
    this.model.set({ error: text });
    this.touch();
  }

  /** Beside the button. */
  #say(text: string): void {
    this.#note?.remove();
    this.#note = null;
    if (!text) return;
    this.#note = document.createElement("div");
    this.#note.className = "solara-upload-error";
    this.#note.setAttribute("role", "alert");
    this.#note.textContent = text;
    this.el.after(this.#note);
  }
}
