/** Stands in for the index of `@jupyterlab/services` beneath its kernel connection, which needs no more of it. */
export { CommsOverSubshells } from "@jupyterlab/services/lib/kernel/comm";
export { ServerConnection } from "@jupyterlab/services/lib/serverconnection";
