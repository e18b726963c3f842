/**
 * @file A linear text student, loaded. It predicts from the weights of `model.onnx` directly: a text has a thousand features,
 * and adding up as many rows of weights takes less time than handing them to a session. `train-linear-student.test.ts` holds
 * it against ONNX Runtime on the same file.
 */

import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { dissentOf } from "../../committee.ts";
import type { Look, Student, StudentInput } from "../../contracts.ts";
import { messageOf } from "../../errors.ts";
import { argmaxRows } from "../../math/softmax.ts";
import { readOnnx } from "../../onnx/proto.ts";
import { modelId } from "../../records.ts";
import { TextEncoder } from "../../text/text-encoder.ts";
import { readVocabulary } from "../../text/vocabulary-file.ts";
import { readCard } from "../load-student.ts";
import { membersFile } from "../members.ts";
import { modelCorrupt, modelFile } from "../model-folder.ts";
import type { ModelFiles } from "../trainer.ts";
import { type LinearWeights, weightsOf } from "./linear-network.ts";
import { LinearScorer } from "./linear-scorer.ts";
import { NeighbourSearch } from "./neighbours.ts";
import { readNeighbours } from "./neighbours-file.ts";
import { neighboursFile, vocabularyFile } from "./text-files.ts";
import { textOf } from "./text-input.ts";

export type TextStudent = Student & {
  /** The fast path: one text to its logits `[classes]`, at once. */
  logitsOf(text: string): Float32Array;
};

const Card = z.object({ id: z.string(), classes: z.array(z.string()).min(2) });

/** Texts after which other work has its turn: a few milliseconds. */
const TURN = 128;

/** @throws FlywheelError `model_corrupt` */
export async function openLinearStudent(files: ModelFiles): Promise<TextStudent> {
  const { id, classes } = readCard(Card, files);
  const { encoder, scorer, neighbours, members } = openParts(files);
  if (scorer.k !== classes.length) {
    throw modelCorrupt(files.folder, `${modelFile} tells ${scorer.k} classes apart, its card ${classes.length}`);
  }
  const logitsOf = (text: string): Float32Array => {
    encoder.tally(text);
    return scorer.logitsOf(encoder);
  };
  let counted: Look | undefined;
  const look = (input: StudentInput): Look => {
    const text = textOf(input);
    const logits = logitsOf(text);
    /** The encoder holds the text that was counted last. */
    const recount = (): void => {
      if (counted !== own) encoder.tally(text);
      counted = own;
    };
    const own: Look = {
      logits,
      ...(neighbours && {
        novelty() {
          recount();
          encoder.weigh();
          return Math.fround(neighbours.novelty(encoder, argmaxRows(logits, classes.length)[0]!));
        },
      }),
      ...(members && {
        dissent() {
          recount();
          return dissentOf(logits, members.logitsOf(encoder));
        },
      }),
    };
    counted = own;
    return own;
  };
  return {
    modelId: modelId(id),
    classes,
    logitsOf,
    look,
    async predictLogits(batch, signal) {
      const logits = new Float32Array(batch.length * classes.length);
      await eachOf(batch, (input, row) => logits.set(look(input).logits, row * classes.length), signal);
      return logits;
    },
    ...(neighbours && {
      novelty: (batch: readonly StudentInput[], signal?: AbortSignal) =>
        numbers(batch, (input) => look(input).novelty!(), signal),
    }),
    ...(members && {
      committee: {
        size: members.k / scorer.k,
        dissent: (batch: readonly StudentInput[], signal?: AbortSignal) =>
          numbers(batch, (input) => look(input).dissent!(), signal),
      },
    }),
    async [Symbol.asyncDispose]() {},
  };
}

async function numbers(
  batch: readonly StudentInput[],
  numberOf: (input: StudentInput) => number,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const found = new Float32Array(batch.length);
  const note = (input: StudentInput, row: number): void => {
    found[row] = numberOf(input);
  };
  await eachOf(batch, note, signal);
  return found;
}

async function eachOf(
  batch: readonly StudentInput[],
  visit: (input: StudentInput, row: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const [row, input] of batch.entries()) {
    if (row > 0 && row % TURN === 0) await setImmediate();
    signal?.throwIfAborted();
    visit(input, row);
  }
}

type Parts = {
  readonly encoder: TextEncoder;
  readonly scorer: LinearScorer;
  readonly neighbours: NeighbourSearch | undefined;
  readonly members: LinearScorer | undefined;
};

function openParts({ folder, files }: ModelFiles): Parts {
  const vocabulary = files.get(vocabularyFile);
  const model = files.get(modelFile);
  if (!vocabulary || !model) throw modelCorrupt(folder, `its card does not name ${vocabularyFile}`);
  try {
    const encoder = new TextEncoder(readVocabulary(vocabulary));
    const weights = weightsOf(readOnnx(model));
    if (weights.columns === encoder.width) {
      const scorer = new LinearScorer(weights, encoder.idf);
      const members = membersIn(files, weights);
      return {
        encoder,
        scorer,
        neighbours: neighboursIn(files, weights),
        members: members && new LinearScorer(members, encoder.idf),
      };
    }
    throw new RangeError(`${modelFile} has weights of ${weights.columns} n-grams, ${vocabularyFile} ${encoder.width}`);
  } catch (cause) {
    throw modelCorrupt(folder, messageOf(cause), cause);
  }
}

function neighboursIn(files: ModelFiles["files"], { columns, k }: LinearWeights): NeighbourSearch | undefined {
  const bytes = files.get(neighboursFile);
  if (!bytes) return undefined;
  const neighbours = readNeighbours(bytes);
  const classes = neighbours.classStarts.length - 1;
  if (neighbours.columns === columns && classes === k) return new NeighbourSearch(neighbours);
  throw new RangeError(`${neighboursFile} has ${neighbours.columns} n-grams of ${classes} classes`);
}

function membersIn(files: ModelFiles["files"], { columns, k }: LinearWeights): LinearWeights | undefined {
  const bytes = files.get(membersFile);
  if (!bytes) return undefined;
  const members = weightsOf(readOnnx(bytes));
  if (members.columns === columns && members.k % k === 0) return members;
  throw new RangeError(`${membersFile} has weights of ${members.columns} n-grams and ${members.k} classes`);
}
