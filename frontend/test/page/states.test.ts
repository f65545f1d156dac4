import { expect, test } from "vitest";
import { isUpdateStates, planCatchUp, readStates, type WidgetState } from "../../src/page/states";

const widget = (state: object = {}): WidgetState =>
  ({ model_name: "M", model_module: "m", model_module_version: "1", state }) as WidgetState;

test("new widgets are created, known ones updated, gone ones closed", () => {
  const states = new Map([
    ["b", widget()],
    ["c", widget()],
  ]);
  expect(planCatchUp(["a", "b"], states)).toEqual({ create: ["c"], update: ["b"], close: ["a"] });
});

test("an empty page creates everything in the kernel's order; an empty kernel closes everything", () => {
  const states = new Map(["z", "a", "m"].map((id) => [id, widget()]));
  expect(planCatchUp([], states)).toEqual({ create: ["z", "a", "m"], update: [], close: [] });
  expect(planCatchUp(["z", "a"], new Map())).toEqual({ create: [], update: [], close: ["z", "a"] });
});

test("binary buffers are put where their paths say, whatever they are wrapped in", () => {
  const data = {
    method: "update_states" as const,
    states: { a: widget({ value: null }), b: widget({ list: [null, 1] }) },
    buffer_paths: [
      ["a", "state", "value"],
      ["b", "state", "list", 0],
    ],
  };
  const bytes = new Uint8Array([0, 1, 2, 3]);
  const states = readStates(data, [new Uint8Array([9]).buffer, bytes.subarray(1, 3)]);
  const value = states.get("a")?.state.value as unknown as DataView | undefined;
  expect([value?.byteLength, value?.getUint8(0)]).toEqual([1, 9]);
  const list = states.get("b")?.state.list as unknown as [DataView, number] | undefined;
  expect([list?.[0].byteLength, list?.[0].getUint8(0), list?.[0].getUint8(1)]).toEqual([2, 1, 2]);
});

test("a buffer of a widget that is not there, and a path without a buffer, are skipped", () => {
  const data = {
    method: "update_states" as const,
    states: { a: widget() },
    buffer_paths: [
      ["gone", "state", "x"],
      ["a", "state", "x"],
    ],
  };
  expect(readStates(data, [new ArrayBuffer(1)]).get("a")?.state).toEqual({});
});

test.each([null, {}, { method: "other", states: {} }, { method: "update_states" }, "text"])(
  "anything else is not all state: %o",
  (data) => {
    expect(isUpdateStates(data)).toBe(false);
  },
);
