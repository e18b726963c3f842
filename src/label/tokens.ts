/**
 * @file How many tokens a request takes, before it is sent: an expectation for the plan and a ceiling for the budget.
 * Image rules as the providers' documentation gives them (2025); what was really used comes with each answer.
 */

import type { TeacherInput } from "../contracts.ts";
import { MAX_IMAGE_SIDE } from "./teacher-input.ts";

/**
 * Ceiling of an answer to so many questions. A label takes about ten; the rest is room for models that cannot be told not to
 * think. A label and the name of its field may be long, hence the hundred for each further one.
 */
export const maxOutputTokens = (questions: number): number => 1024 + 100 * (questions - 1);
export const expectedOutputTokens = (questions: number): number => 12 * questions;

/** English runs at about four bytes a token; other scripts and code at fewer, hence the ceiling of two. */
export const expectedTextTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / 4);
export const maxTextTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / 2) + 16;

/** A fence is 39 bytes of tags and digits. */
const MAX_FENCE_TOKENS = 40;

type Size = { readonly width: number; readonly height: number };

export function imageTokens(model: string, size: Size): number {
  const shown = scaledWithin(size, MAX_IMAGE_SIDE);
  if (model.startsWith("google/")) return googleImageTokens(shown);
  if (model.startsWith("openai/")) return openAiImageTokens(model, shown);
  return Math.ceil((shown.width * shown.height) / 750); // Anthropic's rule; servers of one's own are near it
}

/** 258 where both sides are at most 384 pixels, else 258 for each tile of between 256 and 768 pixels. */
function googleImageTokens({ width, height }: Size): number {
  if (Math.max(width, height) <= 384) return 258;
  const tile = Math.min(768, Math.max(256, Math.floor(Math.min(width, height) / 1.5)));
  return 258 * Math.ceil(width / tile) * Math.ceil(height / tile);
}

/** Tiles of 512 pixels after the short side is brought to 768 for gpt-4o and gpt-4.1, patches of 32 pixels for the rest. */
function openAiImageTokens(model: string, size: Size): number {
  const tiled = /^openai\/(gpt-4o|gpt-4\.1(?!-mini|-nano))/.test(model);
  if (!tiled) return Math.ceil(Math.min(1536, Math.ceil(size.width / 32) * Math.ceil(size.height / 32)) * 2.46);
  const factor = Math.min(1, 768 / Math.min(size.width, size.height));
  const tiles = Math.ceil((size.width * factor) / 512) * Math.ceil((size.height * factor) / 512);
  return model.startsWith("openai/gpt-4o-mini") ? 2833 + 5667 * tiles : 85 + 170 * tiles;
}

function scaledWithin({ width, height }: Size, side: number): Size {
  const factor = Math.min(1, side / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) };
}

/** Over all shapes that a request may show; tall narrow ones make the most tiles. */
export function maxImageTokens(model: string): number {
  const sides = [64, 128, 256, 384, 512, 768, 1024, MAX_IMAGE_SIDE];
  return Math.max(...sides.map((height) => imageTokens(model, { width: MAX_IMAGE_SIDE, height })));
}

export function maxInputTokens(model: string, prompt: string, input: TeacherInput): number {
  const shown = input.kind === "image" ? maxImageTokens(model) : maxTextTokens(textOf(input)) + MAX_FENCE_TOKENS;
  return maxTextTokens(prompt) + shown;
}

/** A text or record as the teacher is shown it. */
export function textOf(input: Exclude<TeacherInput, { readonly kind: "image" }>): string {
  return input.kind === "text" ? input.text : JSON.stringify(input.fields);
}
