/**
 * @file One encoder in memory for all students that read by it: the fields of a task, a champion and its successor. They are
 * asked about the same texts, so what it said of the latest ones is kept.
 */

import type { EmbedWork, SentenceEncoder } from "./sentence-encoder.ts";

/** Texts that stay known: those of the requests under way. */
const RECENT = 64;

/** By text, the oldest first: its embedding, or the work on it. */
type Recent = Map<string, Promise<Float32Array>>;

type Shared = { readonly encoder: Promise<SentenceEncoder>; readonly recent: Recent; users: number };

const inUse = new Map<string, Shared>();

/**
 * The encoder that is open under `key`, else the one that `open` opens. Disposing of it lets go of it; whoever is last closes
 * it. @param key tells apart encoders that say different things of a text
 * @param options.remembers whether what was said of a text lately is said again; default true
 * @throws what `open` throws
 */
export async function shareEncoder(
  key: string,
  open: () => Promise<SentenceEncoder>,
  { remembers = true }: { readonly remembers?: boolean } = {},
): Promise<SentenceEncoder> {
  const shared = inUse.get(key) ?? { encoder: open(), recent: new Map(), users: 0 };
  inUse.set(key, shared);
  shared.users += 1;
  try {
    const encoder = await shared.encoder;
    return over(encoder, remembers ? shared.recent : undefined, () => letGo(key, shared));
  } catch (thrown) {
    if (inUse.get(key) === shared) inUse.delete(key);
    throw thrown;
  }
}

async function letGo(key: string, shared: Shared): Promise<void> {
  shared.users -= 1;
  if (shared.users > 0) return;
  inUse.delete(key);
  await (await shared.encoder)[Symbol.asyncDispose]();
}

function over(encoder: SentenceEncoder, recent: Recent | undefined, leave: () => Promise<void>): SentenceEncoder {
  let left: Promise<void> | undefined;
  return {
    width: encoder.width,
    async embed(texts, work) {
      const [text] = texts;
      if (!recent || texts.length !== 1 || text === undefined) return await encoder.embed(texts, work);
      return await embedOne(encoder, recent, text, work);
    },
    async [Symbol.asyncDispose]() {
      left ??= leave();
      await left;
    },
  };
}

/** Others may wait for it too: one of them giving up does not stop it. */
async function embedOne(
  encoder: SentenceEncoder,
  recent: Recent,
  text: string,
  { signal, onEmbedded }: EmbedWork = {},
): Promise<Float32Array> {
  signal?.throwIfAborted();
  const known = recent.get(text) ?? encoder.embed([text]);
  recent.delete(text);
  recent.set(text, known);
  if (recent.size > RECENT) recent.delete(recent.keys().next().value ?? "");
  try {
    const embedding = await known;
    signal?.throwIfAborted();
    onEmbedded?.(1);
    return embedding;
  } catch (thrown) {
    if (!signal?.aborted) recent.delete(text);
    throw thrown;
  }
}
