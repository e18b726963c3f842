/** @file Runs in a thread of its own: learns vocabularies and fits, so that whoever trains goes on serving. */

import { parentPort } from "node:worker_threads";
import { FlywheelError, messageOf } from "../../errors.ts";
import type { Learned } from "../../text/vocabulary-builder.ts";
import type { FitJob, FitReply } from "./fit-thread.ts";
import { LinearFitter, learnVocabulary } from "./linear-work.ts";

let fitter: LinearFitter | undefined;

function replyTo(job: FitJob): FitReply {
  switch (job.kind) {
    case "learn":
      return { kind: "learned", learned: shared(learnVocabulary(job.texts, job.ngrams, post)) };
    case "problem":
      fitter = new LinearFitter(job.problem);
      return { kind: "ready" };
    case "fit":
      if (!fitter) throw new RangeError("a fit was asked for before its problem was given");
      return { kind: "fitted", result: fitter.fit(job.request) };
    default:
      return job satisfies never;
  }
}

const post = (read: number): void => parentPort?.postMessage({ kind: "read", read } satisfies FitReply);

/** The counts in memory that all threads see: they are most of what a training needs, and must not exist once a thread. */
function shared({ vocabulary, counts }: Learned): Learned {
  const { starts, indices, frequencies } = counts;
  const own = <A extends Int32Array | Float32Array>(from: A, into: A): A => {
    into.set(from);
    return into;
  };
  return {
    vocabulary,
    counts: {
      ...counts,
      starts: own(starts, new Int32Array(new SharedArrayBuffer(starts.byteLength))),
      indices: own(indices, new Int32Array(new SharedArrayBuffer(indices.byteLength))),
      frequencies: own(frequencies, new Float32Array(new SharedArrayBuffer(frequencies.byteLength))),
    },
  };
}

parentPort?.on("message", (job: FitJob) => {
  try {
    parentPort?.postMessage(replyTo(job));
  } catch (thrown) {
    // Errors lose their codes on the way between threads.
    const { code, hint } = FlywheelError.isInstance(thrown) ? thrown : { code: undefined, hint: undefined };
    parentPort?.postMessage({ kind: "failed", code, hint, message: messageOf(thrown) } satisfies FitReply);
  }
});
