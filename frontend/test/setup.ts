/** What jsdom leaves out and Jupyter's packages name when they are loaded. */
if (typeof MouseEvent === "function") {
  globalThis.DragEvent ??= class DragEvent extends MouseEvent {} as typeof globalThis.DragEvent;
}
globalThis.ResizeObserver ??= class {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
};
