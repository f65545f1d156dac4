/** All widget state in one message: reading it, and what it means for the models that a page has. Pure. */
import { put_buffers } from "@jupyter-widgets/base";
import type { JSONObject } from "@lumino/coreutils";

/** One widget as the kernel describes it, binary buffers in place. */
export interface WidgetState {
  readonly model_name: string;
  readonly model_module: string;
  readonly model_module_version: string;
  readonly state: JSONObject;
}

export type WidgetStates = ReadonlyMap<string, WidgetState>;

interface UpdateStates {
  readonly method: "update_states";
  readonly states: Record<string, WidgetState>;
  readonly buffer_paths?: readonly (readonly (string | number)[])[];
}

export function isUpdateStates(data: unknown): data is UpdateStates {
  return (
    typeof data === "object" &&
    data !== null &&
    "method" in data &&
    data.method === "update_states" &&
    "states" in data &&
    typeof data.states === "object" &&
    data.states !== null
  );
}

/** The states of an `update_states` message. Each buffer's path begins with its widget's id and "state". */
export function readStates(data: UpdateStates, buffers: readonly (ArrayBuffer | ArrayBufferView)[]): WidgetStates {
  const states = new Map(Object.entries(data.states));
  for (const [i, [id, ...path]] of (data.buffer_paths ?? []).entries()) {
    const state = states.get(String(id));
    const buffer = buffers[i];
    if (state && buffer) put_buffers(state as never, [path], [viewOf(buffer)]);
  }
  return states;
}

function viewOf(buffer: ArrayBuffer | ArrayBufferView): DataView {
  if (buffer instanceof DataView) return buffer;
  return ArrayBuffer.isView(buffer)
    ? new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    : new DataView(buffer);
}

/** What has to happen to a page's models so that they are the kernel's. */
export interface CatchUp {
  readonly create: readonly string[];
  readonly update: readonly string[];
  readonly close: readonly string[];
}

export function planCatchUp(known: Iterable<string>, states: WidgetStates): CatchUp {
  const have = new Set(known);
  const ids = [...states.keys()];
  return {
    create: ids.filter((id) => !have.has(id)),
    update: ids.filter((id) => have.has(id)),
    close: [...have].filter((id) => !states.has(id)),
  };
}
