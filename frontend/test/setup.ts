/** What jsdom leaves out and Jupyter's packages name when they are loaded. */
globalThis.DragEvent ??= class DragEvent extends MouseEvent {} as typeof globalThis.DragEvent;
