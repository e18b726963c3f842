/**
 * @file Limited-memory BFGS with a backtracking line search, for smooth convex functions of many variables.
 *
 * Source: Nocedal & Wright, Numerical Optimization (2006), algorithms 7.4 and 3.1. On a strictly convex function every
 * step has positive curvature, so Armijo's condition alone suffices; a step without is left out of the memory. Vectors are
 * allocated once: a text model has millions of variables.
 */

export type Objective = (x: Float64Array, gradient: Float64Array) => number;

export type LbfgsOptions = {
  /** Stop once no component of the gradient is larger. */
  readonly tolerance?: number;
  readonly maxIterations?: number;
  readonly memory?: number;
};

export type Minimum = {
  readonly x: Float64Array;
  readonly value: number;
  readonly iterations: number;
  /** False where iterations ran out, or rounding stopped the descent before the tolerance. */
  readonly converged: boolean;
};

/** In float32: they only shape the direction, and of many classes and n-grams they are most of the memory of a search. */
type Pair = { readonly step: Float32Array; readonly change: Float32Array; curvature: number };
type Point = { readonly x: Float64Array; readonly gradient: Float64Array; value: number };

/** Where the search asks: whoever answers writes the gradient there, and gives back the value. */
export type Question = { readonly x: Float64Array; readonly gradient: Float64Array };

/** Minimises `objective`, which writes its gradient into its second argument, from `start` (not changed). */
export function lbfgs(objective: Objective, start: Float64Array, options: LbfgsOptions = {}): Minimum {
  const search = lbfgsSearch(start, options);
  let asked = search.next();
  while (!asked.done) asked = search.next(objective(asked.value.x, asked.value.gradient));
  return asked.value;
}

/** As `lbfgs`, for an objective that somebody else computes in their own time: each question is answered by `next(value)`. */
export function* lbfgsSearch(start: Float64Array, options: LbfgsOptions = {}): Generator<Question, Minimum, number> {
  const { tolerance = 1e-6, maxIterations = 500, memory = 10 } = options;
  let point: Point = { x: Float64Array.from(start), gradient: new Float64Array(start.length), value: 0 };
  let next: Point = { x: new Float64Array(start.length), gradient: new Float64Array(start.length), value: 0 };
  const direction = new Float64Array(start.length);
  const pairs: Pair[] = [];
  point.value = yield point;
  for (let iteration = 0; ; iteration++) {
    const { x, value } = point;
    const converged = largest(point.gradient) <= tolerance;
    if (converged || iteration === maxIterations) return { x, value, iterations: iteration, converged };
    descend(direction, point.gradient, pairs);
    const found = yield* searchLine(point, direction, next);
    if (!found) return { x, value, iterations: iteration, converged: false };
    remember(pairs, { before: point, after: next, memory });
    [point, next] = [next, point];
  }
}

/** Minus the inverse Hessian's estimate times the gradient, into `q`: the two-loop recursion. */
function descend(q: Float64Array, gradient: Float64Array, pairs: readonly Pair[]): void {
  for (let index = 0; index < q.length; index++) q[index] = -gradient[index]!;
  const alpha: number[] = [];
  for (const { step, change, curvature } of pairs.toReversed()) {
    alpha.push(dot(step, q) / curvature);
    addScaled(q, change, -alpha.at(-1)!);
  }
  const last = pairs.at(-1);
  // Without memory the first step has length 1 at most: the function's scale is not known yet.
  const scale = last ? last.curvature / dot(last.change, last.change) : 1 / Math.max(1, Math.sqrt(dot(q, q)));
  for (let index = 0; index < q.length; index++) q[index]! *= scale;
  for (const { step, change, curvature } of pairs) {
    addScaled(q, step, alpha.pop()! - dot(change, q) / curvature);
  }
}

const SUFFICIENT_DECREASE = 1e-4;
const MOST_HALVINGS = 40;

/** Writes into `next` a point that is low enough along `direction`; false where there is none. */
function* searchLine(
  { x, gradient, value }: Point,
  direction: Float64Array,
  next: Point,
): Generator<Question, boolean, number> {
  const slope = dot(gradient, direction);
  for (let halving = 0, length = 1; halving < MOST_HALVINGS; halving++, length /= 2) {
    for (let index = 0; index < x.length; index++) next.x[index] = x[index]! + length * direction[index]!;
    next.value = yield next;
    // Near the minimum the decrease asked for is lost in rounding: without any decrease at all there is nowhere to go.
    if (next.value < value && next.value <= value + SUFFICIENT_DECREASE * length * slope) return true;
  }
  return false;
}

type Step = { readonly before: Point; readonly after: Point; readonly memory: number };

/** The oldest pair lends its arrays once the memory is full. */
function remember(pairs: Pair[], { before, after, memory }: Step): void {
  const size = before.x.length;
  const oldest = pairs.length === memory ? pairs.shift() : undefined;
  const pair = oldest ?? { step: new Float32Array(size), change: new Float32Array(size), curvature: 0 };
  for (let index = 0; index < size; index++) {
    pair.step[index] = after.x[index]! - before.x[index]!;
    pair.change[index] = after.gradient[index]! - before.gradient[index]!;
  }
  pair.curvature = dot(pair.step, pair.change);
  if (pair.curvature > 0) pairs.push(pair);
}

/** Four sums side by side: one alone waits for itself at every addition. */
function dot(a: Float32Array | Float64Array, b: Float32Array | Float64Array): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let index = 0;
  for (; index + 3 < a.length; index += 4) {
    s0 += a[index]! * b[index]!;
    s1 += a[index + 1]! * b[index + 1]!;
    s2 += a[index + 2]! * b[index + 2]!;
    s3 += a[index + 3]! * b[index + 3]!;
  }
  for (; index < a.length; index++) s0 += a[index]! * b[index]!;
  return s0 + s1 + (s2 + s3);
}

function addScaled(target: Float64Array, source: Float32Array, factor: number): void {
  for (let index = 0; index < target.length; index++) target[index]! += factor * source[index]!;
}

function largest(values: Float64Array): number {
  let most = 0;
  for (let index = 0; index < values.length; index++) most = Math.max(most, Math.abs(values[index]!));
  return most;
}
