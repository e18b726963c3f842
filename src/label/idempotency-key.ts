/**
 * @file The key under which a provider is asked. It is the annotation's id and the reservation's id as well: asking twice,
 * paying twice and recording twice are the same mistake, so one name guards against all three.
 */

/**
 * An answer that came but was useless has been paid for: asking again under its key would only replay it, so each such
 * answer moves on to the next key. Transport failures keep theirs.
 */
export function idempotencyKeyOf(annotationId: string, uselessAnswers: number): string {
  return uselessAnswers === 0 ? annotationId : `${annotationId}-${uselessAnswers}`;
}
