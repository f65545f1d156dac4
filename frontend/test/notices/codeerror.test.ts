import { beforeEach, expect, test } from "vitest";
import { CodeErrorPanel } from "../../src/notices/codeerror";

const alert = () => document.querySelector('[role="alert"]');
let panel: CodeErrorPanel;

beforeEach(() => {
  document.body.replaceChildren();
  panel = new CodeErrorPanel(document);
});

test("it is said once, whatever comes, until the code can be loaded", () => {
  for (const ename of ["SyntaxError", "NameError"]) {
    const explained = [{ summary: `${ename}: no`, how: null, frames: [] }];
    panel.show({ ename, evalue: "no", traceback: "Traceback…", explained });
  }
  expect(document.querySelectorAll('[role="alert"]').length).toBe(1);
  expect(alert()?.textContent).toContain("NameError: no");
  panel.show(null);
  expect(alert()).toBeNull();
});

test("without debug mode, the error is named only; and it can be put out of the way", () => {
  panel.show({ ename: "SyntaxError", evalue: "", traceback: null });
  expect(alert()?.querySelector("code")?.textContent).toBe("SyntaxError");
  alert()?.querySelector("button")?.click();
  expect(alert()).toBeNull();
});
