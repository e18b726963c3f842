/**
 * @file From meshes to pixels: for every pixel, which triangle is seen there and where in the triangle. Colour comes
 * later, once for every visible pixel (a visibility buffer), so that overlaps cost nothing but this loop.
 */

import type { Material } from "./material.ts";
import type { Mesh, Vector } from "./mesh.ts";
import { add, type Camera, dot, type Placed, turnVector } from "./space.ts";

/** A mesh as the camera sees it. Column vectors are `[vertices]`; positions and normals are those of the mesh. */
export type Projected = {
  readonly mesh: Mesh;
  readonly material: Material;
  readonly placed: Placed;
  /** Index of the placed body in the scene. */
  readonly owner: number;
  readonly screenX: Float32Array;
  readonly screenY: Float32Array;
  /** 1 / depth: linear across the screen, larger is nearer, 0 is infinitely far. */
  readonly nearness: Float32Array;
};

export type Visibility = {
  readonly side: number;
  readonly nearness: Float32Array;
  /** Index into the projected meshes, or −1 where nothing is. */
  readonly part: Int16Array;
  /** First index of the triangle in its mesh. */
  readonly triangle: Int32Array;
  /** Barycentric weights of the triangle's second and third corner. */
  readonly second: Float32Array;
  readonly third: Float32Array;
};

export function rasterise(scene: readonly Placed[], camera: Camera, side: number): [Visibility, Projected[]] {
  const parts = scene.flatMap((placed, owner) =>
    placed.body.parts.map(({ mesh, material }) => project({ mesh, material, placed, owner }, camera, side)),
  );
  const seen = emptyVisibility(side);
  for (const [index, part] of parts.entries()) drawPart(seen, part, index);
  return [seen, parts];
}

function emptyVisibility(side: number): Visibility {
  const pixels = side * side;
  return {
    side,
    nearness: new Float32Array(pixels),
    part: new Int16Array(pixels).fill(-1),
    triangle: new Int32Array(pixels),
    second: new Float32Array(pixels),
    third: new Float32Array(pixels),
  };
}

function project(
  part: Pick<Projected, "mesh" | "material" | "placed" | "owner">,
  camera: Camera,
  side: number,
): Projected {
  const { mesh, placed } = part;
  const vertices = mesh.positions.length / 3;
  const [screenX, screenY] = [new Float32Array(vertices), new Float32Array(vertices)];
  const nearness = new Float32Array(vertices);
  const offset = add(placed.at, camera.at, -1);
  const scale = (camera.zoom * side) / 2;
  for (let vertex = 0; vertex < vertices; vertex++) {
    const seen = add(offset, turnVector(placed.turn, vertexOf(mesh.positions, vertex)), placed.size);
    const depth = Math.max(dot(seen, camera.forward), nearPlane);
    nearness[vertex] = 1 / depth;
    screenX[vertex] = side / 2 + (scale * dot(seen, camera.right)) / depth;
    screenY[vertex] = side / 2 - (scale * dot(seen, camera.up)) / depth;
  }
  return { ...part, screenX, screenY, nearness };
}

/** Nothing is placed nearer to the lens than this; keeps the perspective division from dividing by zero. */
const nearPlane = 0.05;

const vertexOf = (values: Float32Array, vertex: number): Vector => [
  values[3 * vertex]!,
  values[3 * vertex + 1]!,
  values[3 * vertex + 2]!,
];

function drawPart(seen: Visibility, part: Projected, index: number): void {
  const { triangles, twoSided } = part.mesh;
  for (let first = 0; first < triangles.length; first += 3) drawTriangle(seen, part, { index, first, twoSided });
}

/** The inner loop of the renderer: edge functions over the triangle's box of pixels. Written out for speed. */
function drawTriangle(
  seen: Visibility,
  part: Projected,
  which: { readonly index: number; readonly first: number; readonly twoSided: boolean },
): void {
  const { triangles } = part.mesh;
  const a = triangles[which.first]!;
  const b = triangles[which.first + 1]!;
  const c = triangles[which.first + 2]!;
  const ax = part.screenX[a]!;
  const ay = part.screenY[a]!;
  const bx = part.screenX[b]! - ax;
  const by = part.screenY[b]! - ay;
  const cx = part.screenX[c]! - ax;
  const cy = part.screenY[c]! - ay;
  // Twice the signed area; the screen's y points down, so a front face, anticlockwise in the world, is negative here.
  const area = bx * cy - by * cx;
  if (area === 0 || (area > 0 && !which.twoSided)) return;
  const side = seen.side;
  const left = Math.max(0, Math.ceil(ax + Math.min(0, bx, cx) - 0.5));
  const right = Math.min(side - 1, Math.floor(ax + Math.max(0, bx, cx) - 0.5));
  const top = Math.max(0, Math.ceil(ay + Math.min(0, by, cy) - 0.5));
  const bottom = Math.min(side - 1, Math.floor(ay + Math.max(0, by, cy) - 0.5));
  const nearA = part.nearness[a]!;
  const nearB = part.nearness[b]! - nearA;
  const nearC = part.nearness[c]! - nearA;
  for (let y = top; y <= bottom; y++) {
    const py = y + 0.5 - ay;
    for (let x = left; x <= right; x++) {
      const px = x + 0.5 - ax;
      const second = (px * cy - py * cx) / area;
      const third = (bx * py - by * px) / area;
      if (second < 0 || third < 0 || second + third > 1) continue;
      const nearness = nearA + second * nearB + third * nearC;
      const pixel = y * side + x;
      if (nearness <= seen.nearness[pixel]!) continue;
      seen.nearness[pixel] = nearness;
      seen.part[pixel] = which.index;
      seen.triangle[pixel] = which.first;
      seen.second[pixel] = second;
      seen.third[pixel] = third;
    }
  }
}
