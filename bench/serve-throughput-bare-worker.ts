/**
 * @file The least that Fastify costs: parses the body of a decision request and replies with the same bytes every time.
 * `node serve-throughput-bare-worker.ts BODY`; prints its URL, then serves until it is killed.
 */

import { fastify } from "fastify";

const [body = "{}"] = process.argv.slice(2);
const app = fastify();
app.post<{ Body: { model?: unknown } }>("/v1/decisions", async (request, reply) => {
  if (typeof request.body.model !== "string") return reply.code(400).send();
  return reply.type("application/json; charset=utf-8").send(body);
});
console.log(JSON.stringify({ url: await app.listen({ port: 0, host: "127.0.0.1" }) }));
