/** The page's widget models, on Jupyter's own manager. */
import {
  type DOMWidgetModel,
  type DOMWidgetView,
  type IClassicComm,
  type IModelOptions,
  shims,
  type WidgetModel,
  type WidgetView,
} from "@jupyter-widgets/base";
import { ManagerBase } from "@jupyter-widgets/base-manager";
import { DescriptionView } from "@jupyter-widgets/controls/lib/widget_description";
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import type { JSONObject } from "@lumino/coreutils";
import type { PageConfig } from "../config";
import { mathTypesetter } from "./math";
import type { Origin } from "./missing";
import { loadClass } from "./modules";
import { planCatchUp, type WidgetStates } from "./states";
import type { ThirdParty } from "./thirdparty";

const WIDGET_TARGET = "jupyter.widget";
const ORIGIN_TARGET = "solara_ctx.origin";

/** The parts of a model that its type keeps private, and that a lost connection leaves in a state nothing else resolves. */
interface ModelInternals {
  /** Attribute to the id of the message whose echo is awaited; echoes of other messages are skipped until it comes. */
  readonly _expectedEchoMsgIds: Map<string, string>;
}

/** The opening of a widget that came before the message with all state, and what came for it since. */
interface Early {
  readonly comm: Kernel.IComm;
  readonly open: KernelMessage.ICommOpenMsg;
  readonly messages: KernelMessage.ICommMsgMsg[];
}

export class WidgetManager extends ManagerBase {
  readonly #kernel: Kernel.IKernelConnection;
  readonly #config: PageConfig;
  #thirdParty: Promise<ThirdParty> | undefined;
  readonly #ids = new Set<string>();
  #stream = new AbortController();
  /** By widget; null while openings are acted upon as they come. */
  #early: Map<string, Early> | null = null;
  /** Where controls look for the typesetter of LaTeX in labels and HTML. */
  readonly _rendermime = { latexTypesetter: mathTypesetter };

  constructor(kernel: Kernel.IKernelConnection, config: PageConfig) {
    super();
    this.#kernel = kernel;
    this.#config = config;
    kernel.registerCommTarget(WIDGET_TARGET, (comm, msg) => this.#opened(comm, msg));
  }

  /**
   * The message with all state will come: set aside what is opened before it.
   *
   * Nearly all of it will be in that message. And it may refer to widgets that were opened before the connection was
   * made, whose models would be waited for in vain.
   */
  awaitStates(): void {
    this.#early ??= new Map();
  }

  /** The connection was lost: what was set aside is out of date, and echoes that have not come will not come. */
  async lost(): Promise<void> {
    this.#stream.abort();
    this.#stream = new AbortController();
    for (const { comm } of this.#early?.values() ?? []) comm.dispose();
    this.#early = null;
    const models = await Promise.all([...this.#ids].map((id) => this.get_model(id)));
    for (const model of models) (model as unknown as ModelInternals)._expectedEchoMsgIds?.clear();
  }

  /**
   * Make the models those of the kernel: new ones are made, known ones updated in place.
   *
   * Returns the ids of models that the kernel no longer has. They are still there, so that what is on the screen can be
   * replaced first; pass them to `close`.
   */
  async catchUp(states: WidgetStates): Promise<readonly string[]> {
    const early = this.#early ?? new Map<string, Early>();
    this.#early = null;
    const plan = planCatchUp(this.#ids, states);
    // All new models are registered before anything is awaited: they may refer to each other in any order.
    const created = plan.create.map((id) => this.#create(id, states, early.get(id)?.comm));
    const updated = plan.update.map((id) => this.#update(id, states));
    for (const result of await Promise.allSettled([...created, ...updated])) {
      if (result.status === "rejected") console.error(result.reason);
    }
    // A thread of the kernel has made it while the state was being read.
    for (const [id, { comm, open, messages }] of early) {
      if (states.has(id)) continue;
      await this.#opened(comm, open);
      for (const message of messages) await comm.onMsg(message);
    }
    return plan.close;
  }

  /** Close these models and their views. The kernel has closed its side already and is not told. */
  async close(ids: Iterable<string>): Promise<void> {
    await Promise.all(
      [...ids].map(async (id) => {
        if (!this.has_model(id)) return;
        const model = await this.get_model(id);
        const comm = model.comm;
        model.trigger("comm:close");
        await model.close(true);
        if (comm instanceof shims.services.Comm) comm.jsServicesComm.dispose();
      }),
    );
  }

  /** Whether what has gone wrong may be told in full. */
  get debug(): boolean {
    return this.#config.debug;
  }

  /** Other people's modules, whose loader comes with the first that is wanted. */
  thirdParty(): Promise<ThirdParty> {
    this.#thirdParty ??= import("./thirdparty").then(({ ThirdParty }) => new ThirdParty(this.#config, this));
    return this.#thirdParty;
  }

  /** Ask the kernel which package defines a widget's class; null where it does not know. */
  originOf(id: string): Promise<Origin | null> {
    return new Promise((resolve) => {
      const comm = this.#kernel.createComm(ORIGIN_TARGET);
      comm.onMsg = ({ content }) => resolve(content.data as unknown as Origin);
      comm.onClose = () => resolve(null);
      comm.open({ widget: id });
    });
  }

  /** Aborted when what is on its way to the kernel, and back, is lost. */
  get stream(): AbortSignal {
    return this.#stream.signal;
  }

  /** A comm that is not open yet. */
  createComm(target: string): Kernel.IComm {
    return this.#kernel.createComm(target);
  }

  /** The ids of all models. */
  get ids(): ReadonlySet<string> {
    return this.#ids;
  }

  override create_view<VT extends DOMWidgetView = DOMWidgetView>(model: DOMWidgetModel, options?: unknown): Promise<VT>;
  override create_view<VT extends WidgetView = WidgetView>(model: WidgetModel, options?: unknown): Promise<VT>;
  override async create_view(model: WidgetModel, options?: unknown): Promise<WidgetView> {
    const view = await super.create_view(model, options);
    // Radio and toggle buttons (controls 5.0.13) do not put on the classes that lay out a description and its control.
    if (view instanceof DescriptionView && !view.el.classList.contains("jupyter-widgets")) {
      view.el.classList.add("jupyter-widgets", "widget-inline-hbox");
    }
    return view;
  }

  override register_model(id: string, model: Promise<WidgetModel>): void {
    this.#ids.add(id);
    super.register_model(id, model);
    model.then((it) => it.once("comm:close", () => this.#ids.delete(id))).catch(() => this.#ids.delete(id));
  }

  async #opened(comm: Kernel.IComm, msg: KernelMessage.ICommOpenMsg): Promise<void> {
    const early = this.#early;
    if (early) {
      const messages: KernelMessage.ICommMsgMsg[] = [];
      early.set(comm.commId, { comm, open: msg, messages });
      comm.onMsg = (it) => void messages.push(it);
      comm.onClose = () => void early.delete(comm.commId);
      return;
    }
    try {
      if (this.has_model(comm.commId)) {
        // The message that held all state came first. The kernel's side is the same; only our end of the comm is new.
        const model = await this.get_model(comm.commId);
        const classic = new shims.services.Comm(comm);
        model.comm = classic;
        classic.on_msg((it) => model._handle_comm_msg(it));
        classic.on_close((it) => model._handle_comm_closed(it));
        return;
      }
      await this.handle_comm_open(new shims.services.Comm(comm), msg);
    } catch (error) {
      // KernelConnection would swallow it.
      console.error(error);
    }
  }

  async #create(id: string, states: WidgetStates, comm?: Kernel.IComm): Promise<void> {
    const state = states.get(id);
    if (!state) return;
    const options: IModelOptions = {
      model_name: state.model_name,
      model_module: state.model_module,
      model_module_version: state.model_module_version,
      model_id: id,
      comm: new shims.services.Comm(comm ?? this.#kernel.createComm(WIDGET_TARGET, id)),
    };
    await this.new_model(options, state.state);
  }

  async #update(id: string, states: WidgetStates): Promise<void> {
    const state = states.get(id)?.state;
    if (!state) return;
    const model = await this.get_model(id);
    // In the model's own line of changes, so that an update that is being applied is not overtaken.
    model.state_change = model.state_change.then(async () => {
      const values = await (model.constructor as typeof WidgetModel)._deserialize_state(state as never, this);
      const awaited = (model as unknown as ModelInternals)._expectedEchoMsgIds;
      // What the person has changed since is on its way to the kernel; its echo will say what became of it.
      const settled = Object.entries(values).filter(([name]) => !awaited?.has(name));
      model.set_state(Object.fromEntries(settled));
    });
    await model.state_change;
  }

  protected override async loadClass(
    className: string,
    moduleName: string,
    moduleVersion: string,
  ): Promise<typeof WidgetModel | typeof WidgetView> {
    return loadClass(this, className, moduleName, moduleVersion);
  }

  protected override async _create_comm(
    target: string,
    id?: string,
    data?: JSONObject,
    metadata?: JSONObject,
    buffers?: ArrayBuffer[] | ArrayBufferView[],
  ): Promise<IClassicComm> {
    const comm = new shims.services.Comm(this.#kernel.createComm(target, id));
    if (data || metadata) comm.open(data ?? {}, {}, metadata ?? {}, buffers ?? []);
    return comm;
  }

  protected override async _get_comm_info(): Promise<Record<string, never>> {
    return {}; // only for kernels that cannot send all state in one message
  }
}
