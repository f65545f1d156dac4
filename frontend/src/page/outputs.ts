/** What has been appended to a list of outputs. Pure. */
import type { IOutput } from "@jupyterlab/nbformat";

/**
 * The outputs to append to `before` to get `after`; null where something before the end has changed.
 *
 * Text that was added to the last stream comes as a stream of its own: whoever appends it to the same stream gets the
 * whole.
 */
export function whatFollows(before: readonly IOutput[] | undefined, after: readonly IOutput[]): IOutput[] | null {
  if (!before || before.length > after.length) return null;
  const last = before.length - 1;
  if (!before.every((output, i) => i === last || same(output, after[i]))) return null;
  const rest = after.slice(before.length);
  if (last < 0) return rest;
  const text = addedText(before[last], after[last]);
  if (text === null) return same(before[last], after[last]) ? rest : null;
  return text === "" ? rest : [{ ...after[last], text } as IOutput, ...rest];
}

function same(a: IOutput | undefined, b: IOutput | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** What was added to a stream; null where these are not two states of one stream. */
function addedText(before: unknown, after: unknown): string | null {
  if (!isTextStream(before) || !isTextStream(after) || before.name !== after.name) return null;
  return after.text.startsWith(before.text) ? after.text.slice(before.text.length) : null;
}

interface TextStream {
  readonly output_type: "stream";
  readonly name: string;
  readonly text: string;
}

function isTextStream(output: unknown): output is TextStream {
  const { output_type, text } = (output ?? {}) as Partial<Record<keyof TextStream, unknown>>;
  return output_type === "stream" && typeof text === "string";
}
