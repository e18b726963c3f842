/** @file When a round is due (SCIENCE D9): enough new labels, or an alarm. */

/** New labels below this number never start a round by themselves. */
const leastNewLabels = 100;
/** Nor do fewer than this share of those that the champion was trained on. */
const leastNewShare = 0.1;

export type Trigger =
  | { readonly kind: "due"; readonly why: string }
  | { readonly kind: "not-due"; readonly newLabels: number; readonly needed: number };

export type TriggerInput = {
  /** Labels in force that may train, now and when the champion was trained; 0 where there is no champion. */
  readonly labels: number;
  readonly championLabels: number;
  readonly alarmed: boolean;
  readonly forced: boolean;
};

export function roundTrigger({ labels, championLabels, alarmed, forced }: TriggerInput): Trigger {
  const newLabels = Math.max(0, labels - championLabels);
  const needed = Math.max(leastNewLabels, Math.ceil(leastNewShare * championLabels));
  if (championLabels === 0) return { kind: "due", why: "there is no champion yet" };
  if (alarmed) return { kind: "due", why: "the champion's certificate is void" };
  if (forced) return { kind: "due", why: "it was asked for" };
  if (newLabels >= needed) return { kind: "due", why: `${newLabels} labels are new` };
  return { kind: "not-due", newLabels, needed };
}
