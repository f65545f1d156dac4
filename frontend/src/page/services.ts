/**
 * Stands in for the index of `@jupyterlab/services`, which is the client of all of Jupyter Server, where Jupyter's other
 * modules need a name or two of it.
 */
export { CommsOverSubshells } from "@jupyterlab/services/lib/kernel/comm";
export * as KernelMessage from "@jupyterlab/services/lib/kernel/messages";
export { ServerConnection } from "@jupyterlab/services/lib/serverconnection";
