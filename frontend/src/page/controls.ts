/** The core controls by class name: what most pages use is there at once, the others come with the first that is used. */
import * as bool from "@jupyter-widgets/controls/lib/widget_bool";
import * as box from "@jupyter-widgets/controls/lib/widget_box";
import * as button from "@jupyter-widgets/controls/lib/widget_button";
import * as core from "@jupyter-widgets/controls/lib/widget_core";
import * as description from "@jupyter-widgets/controls/lib/widget_description";
import * as float from "@jupyter-widgets/controls/lib/widget_float";
import * as int from "@jupyter-widgets/controls/lib/widget_int";
import * as link from "@jupyter-widgets/controls/lib/widget_link";
import * as selection from "@jupyter-widgets/controls/lib/widget_selection";
import * as string from "@jupyter-widgets/controls/lib/widget_string";

type Classes = Readonly<Record<string, unknown>>;

const COMMON: Classes = {
  ...bool,
  ...box,
  ...button,
  ...core,
  ...description,
  ...float,
  ...int,
  ...link,
  ...selection,
  ...string,
};

/** By the beginning of the class name. */
const OTHERS: readonly (readonly [RegExp, () => Promise<Classes>])[] = [
  [
    /^(Accordion|Tab|Stack|SelectionContainer)/,
    () => import("@jupyter-widgets/controls/lib/widget_selectioncontainer"),
  ],
  [/^(Tags|Colors|Floats|Ints|Numbers)Input/, () => import("@jupyter-widgets/controls/lib/widget_tagsinput")],
  [/^DatePicker/, () => import("@jupyter-widgets/controls/lib/widget_date")],
  [/^(Naive)?Datetime/, () => import("@jupyter-widgets/controls/lib/widget_datetime")],
  [/^Time/, () => import("@jupyter-widgets/controls/lib/widget_time")],
  [/^Color/, () => import("@jupyter-widgets/controls/lib/widget_color")],
  [/^Controller/, () => import("@jupyter-widgets/controls/lib/widget_controller")],
  [/^FileUpload/, () => import("./uploadview")],
  [/^Image/, () => import("@jupyter-widgets/controls/lib/widget_image")],
  [/^Audio/, () => import("@jupyter-widgets/controls/lib/widget_audio")],
  [/^Video/, () => import("@jupyter-widgets/controls/lib/widget_video")],
];

/** The module that has a class of that name, as far as any has. */
export function controlsWith(className: string): Classes | Promise<Classes> {
  if (Object.hasOwn(COMMON, className)) return COMMON;
  const found = OTHERS.find(([names]) => names.test(className));
  return found ? found[1]() : {};
}
