import type { IOutput } from "@jupyterlab/nbformat";
import { expect, test } from "vitest";
import { whatFollows } from "../../src/page/outputs";

const out = (text: string) => ({ output_type: "stream", name: "stdout", text }) as unknown as IOutput;
const err = (text: string) => ({ output_type: "stream", name: "stderr", text }) as unknown as IOutput;
const shown = (html: string) => ({ output_type: "display_data", data: { "text/html": html }, metadata: {} }) as IOutput;

test.each<[string, IOutput[] | undefined, IOutput[], IOutput[] | null]>([
  ["nothing is known", undefined, [out("a")], null],
  ["nothing was there", [], [out("a"), shown("b")], [out("a"), shown("b")]],
  ["nothing has changed", [out("a")], [out("a")], []],
  ["an output was appended", [shown("a")], [shown("a"), out("b")], [out("b")]],
  ["text was printed", [out("a\n")], [out("a\nb\n")], [out("b\n")]],
  ["text was printed and more came", [out("a")], [out("ab"), err("c")], [out("b"), err("c")]],
  ["the text has changed", [out("ab")], [out("ac")], null],
  ["the other stream", [out("a")], [err("ab")], null],
  ["an output before the end has changed", [shown("a"), out("b")], [shown("c"), out("b")], null],
  ["text before the end was printed", [out("a"), shown("b")], [out("aa"), shown("b")], null],
  ["outputs were cleared", [out("a")], [], null],
  ["the last output has changed", [shown("a")], [shown("b")], null],
])("%s", (_, before, after, expected) => {
  expect(whatFollows(before, after)).toEqual(expected);
});
