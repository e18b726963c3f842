/**
 * @file Limited-memory BFGS with a backtracking line search, for smooth convex functions of many variables.
 *
 * Source: Nocedal & Wright, Numerical Optimization (2006), algorithms 7.4 and 3.1. On a strictly convex function every
 * step has positive curvature, so Armijo's condition alone suffices; a step without is left out of the memory.
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

type Pair = { readonly step: Float64Array; readonly change: Float64Array; readonly curvature: number };
type Point = { readonly x: Float64Array; readonly gradient: Float64Array; readonly value: number };

/** Minimises `objective`, which writes its gradient into its second argument, from `start` (not changed). */
export function lbfgs(objective: Objective, start: Float64Array, options: LbfgsOptions = {}): Minimum {
  const { tolerance = 1e-6, maxIterations = 500, memory = 10 } = options;
  let point = evaluate(objective, Float64Array.from(start));
  const pairs: Pair[] = [];
  for (let iteration = 0; ; iteration++) {
    const converged = largest(point.gradient) <= tolerance;
    if (converged || iteration === maxIterations) return { ...outcome(point, iteration), converged };
    const next = search(objective, point, descent(point.gradient, pairs));
    if (!next) return { ...outcome(point, iteration), converged: false };
    remember(pairs, point, next);
    if (pairs.length > memory) pairs.shift();
    point = next;
  }
}

const outcome = ({ x, value }: Point, iterations: number) => ({ x, value, iterations });

function evaluate(objective: Objective, x: Float64Array): Point {
  const gradient = new Float64Array(x.length);
  return { x, value: objective(x, gradient), gradient };
}

/** Minus the inverse Hessian's estimate times the gradient: the two-loop recursion. */
function descent(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const q = gradient.map((g) => -g);
  const alpha: number[] = [];
  for (const { step, change, curvature } of [...pairs].reverse()) {
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
  return q;
}

const SUFFICIENT_DECREASE = 1e-4;
const MOST_HALVINGS = 40;

function search(objective: Objective, { x, gradient, value }: Point, direction: Float64Array): Point | undefined {
  const slope = dot(gradient, direction);
  for (let halving = 0, length = 1; halving < MOST_HALVINGS; halving++, length /= 2) {
    const next = Float64Array.from(x);
    addScaled(next, direction, length);
    const candidate = evaluate(objective, next);
    // Near the minimum the decrease asked for is lost in rounding: without any decrease at all there is nowhere to go.
    if (candidate.value < value && candidate.value <= value + SUFFICIENT_DECREASE * length * slope) return candidate;
  }
  return undefined;
}

function remember(pairs: Pair[], before: Point, after: Point): void {
  const step = after.x.map((value, index) => value - before.x[index]!);
  const change = after.gradient.map((value, index) => value - before.gradient[index]!);
  const curvature = dot(step, change);
  if (curvature > 0) pairs.push({ step, change, curvature });
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += a[index]! * b[index]!;
  return sum;
}

function addScaled(target: Float64Array, source: Float64Array, factor: number): void {
  for (let index = 0; index < target.length; index++) target[index]! += factor * source[index]!;
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
