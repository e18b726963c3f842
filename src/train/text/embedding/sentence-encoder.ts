/** @file A sentence encoder: texts in, vectors of length 1 out, the same for a text whatever it is embedded with. */

export type SentenceEncoder = AsyncDisposable & {
  /** Numbers of an embedding. */
  readonly width: number;
  /** `[texts, width]`, each row of length 1, or 0 where nothing of the text is known. */
  embed(texts: readonly string[], work?: EmbedWork): Promise<Float32Array>;
};

export type EmbedWork = {
  readonly onEmbedded?: ((texts: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
};
