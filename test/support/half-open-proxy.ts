/**
 * @file A TCP proxy that can fall silent: connections stay open, new ones are accepted, and nothing is passed on in either
 * direction. To a client it is a network that died without saying so.
 */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export type HalfOpenProxy = {
  readonly port: number;
  /** From now on nothing gets through, on connections old and new. */
  freeze(): void;
  /** New connections work again; those that were frozen stay dead. */
  thaw(): void;
  close(): Promise<void>;
};

export async function startHalfOpenProxy(targetPort: number): Promise<HalfOpenProxy> {
  let isFrozen = false;
  const alive = new Set<{ readonly client: Socket; readonly target: Socket }>();
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    sockets.add(client);
    client.on("error", () => client.destroy());
    if (isFrozen) return;
    const target = connect(targetPort, "127.0.0.1");
    sockets.add(target);
    target.on("error", () => client.destroy());
    client.pipe(target).pipe(client);
    const pair = { client, target };
    alive.add(pair);
    client.on("close", () => alive.delete(pair) && target.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    freeze() {
      isFrozen = true;
      for (const { client, target } of alive) {
        client.unpipe(target).resume();
        target.unpipe(client).resume();
      }
      alive.clear();
    },
    thaw() {
      isFrozen = false;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
