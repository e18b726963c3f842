/**
 * @file The JSON of a body. A long string, such as an image, is parsed as fast as it is copied; as many bytes of small values
 * take a hundred times as long, in which nobody else is answered. So a large body may hold long strings, but not many values.
 */

import type { FastifyInstance } from "fastify";
import { RequestError } from "./request-error.ts";

/** A smaller body is parsed within some ten milliseconds, whatever it holds. */
const LARGE_BYTES = 2 ** 20;
/** An image's request has a few dozen, with the 255 choices of a question some thousand. */
const MAX_VALUES = 20_000;

export function readJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeContentTypeParser("application/json");
  app.addContentTypeParser<Buffer>("application/json", { parseAs: "buffer" }, (request, body, done) => {
    if (body.length > LARGE_BYTES && holdsManyValues(body)) return done(tooManyValues());
    // The one that comes with Fastify: it refuses keys that would reach a prototype.
    return parse(request, body.toString(), done);
  });
}

const COMMA = 0x2c;
const BRACKET = 0x5b;
const BRACE = 0x7b;
const QUOTE = 0x22;

/** Within strings they count as well: base64 has none of them. */
function holdsManyValues(body: Buffer): boolean {
  return [COMMA, BRACKET, BRACE, QUOTE].some((byte) => {
    let count = 0;
    for (let at = body.indexOf(byte); at >= 0; at = body.indexOf(byte, at + 1)) if (++count > MAX_VALUES) return true;
    return false;
  });
}

const tooManyValues = (): RequestError =>
  new RequestError(
    413,
    "request_too_large",
    `a body of more than ${LARGE_BYTES} bytes holds more than ${MAX_VALUES} values`,
    {
      hint: "send one input a request; a large body is for an image alone",
    },
  );
