/** Jupyter's kernel connection, on a socket of ours. */
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import { CommsOverSubshells } from "@jupyterlab/services/lib/kernel/comm";
import { KernelConnection } from "@jupyterlab/services/lib/kernel/default";
import { ServerConnection } from "@jupyterlab/services/lib/serverconnection";
import type { ISignal } from "@lumino/signaling";
import type { PageConfig } from "../config";
import type { KernelSocket } from "./kernelsocket";

class PageKernel extends KernelConnection {
  /**
   * Every comm connects to this signal when it is made and never disconnects: a page whose widgets come and go would
   * keep every comm it ever had. The connection serves subshells only, which are off here.
   */
  override get statusChanged(): ISignal<this, KernelMessage.Status> {
    return { connect: () => true, disconnect: () => true };
  }
}

export function connectKernel(config: PageConfig, socket: KernelSocket): Kernel.IKernelConnection {
  const baseUrl = new URL(config.baseUrl, location.href).href;
  return new PageKernel({
    model: { id: config.kernelId, name: "python3" },
    clientId: config.pageId,
    username: "page",
    commsOverSubshells: CommsOverSubshells.Disabled,
    // How long messages wait for the first reply: here they need not.
    kernelInfoTimeout: 0,
    serverSettings: ServerConnection.makeSettings({
      baseUrl,
      wsUrl: baseUrl.replace(/^http/, "ws"),
      ...socket.settings,
    }),
  });
}
