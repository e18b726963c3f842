/** @file The fence of back quotes that a model puts round its JSON. */

const FENCE = "```";

/** `text` without white space at its ends and without the fence (```` ```json … ``` ````) that it may stand in. */
export function withoutCodeFence(text: string): string {
  const bare = text.trim();
  if (bare.length < 2 * FENCE.length || !bare.startsWith(FENCE) || !bare.endsWith(FENCE)) return bare;
  const inner = bare.slice(FENCE.length, -FENCE.length);
  return (inner.startsWith("json") ? inner.slice("json".length) : inner).trim();
}
