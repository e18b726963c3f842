/**
 * @file Shapes as triangle meshes. Everything in the photos is one kind of surface, a grid bent through space: a body is a
 * grid rolled up into a tube whose ends are pinched, a stem a thin one, a leaf one left flat.
 */

export type Vector = readonly [x: number, y: number, z: number];

export type Mesh = {
  /** `[vertices, 3]`, y up. */
  readonly positions: Float32Array;
  /** `[vertices, 3]`, unit length, outward. */
  readonly normals: Float32Array;
  /** `[triangles, 3]` indices of vertices, anticlockwise seen from outside. */
  readonly triangles: Uint16Array;
  /** A sheet is seen from both sides. */
  readonly twoSided: boolean;
};

export type Grid = {
  readonly rows: number;
  readonly columns: number;
  /** Where a point of the grid goes; both arguments in [0, 1]. */
  readonly point: (along: number, around: number) => Vector;
};

/** A closed body: `around` = 1 meets `around` = 0. */
export function tubeMesh(grid: Grid): Mesh {
  return gridMesh(grid, true);
}

/** An open sheet, seen from both sides. */
export function sheetMesh(grid: Grid): Mesh {
  return gridMesh(grid, false);
}

function gridMesh({ rows, columns, point }: Grid, closed: boolean): Mesh {
  const across = closed ? columns : columns + 1;
  const positions = new Float32Array((rows + 1) * across * 3);
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column < across; column++) {
      positions.set(point(row / rows, column / columns), (row * across + column) * 3);
    }
  }
  const triangles = outward(positions, gridTriangles(rows, columns, across));
  return { positions, normals: vertexNormals(positions, triangles), triangles, twoSided: !closed };
}

function gridTriangles(rows: number, columns: number, across: number): Uint16Array {
  const triangles = new Uint16Array(rows * columns * 6);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [here, right] = [row * across + column, row * across + ((column + 1) % across)];
      triangles.set([here, here + across, right, right, here + across, right + across], at);
      at += 6;
    }
  }
  return triangles;
}

/** Turns every triangle over if the body's signed volume is negative. */
function outward(positions: Float32Array, triangles: Uint16Array): Uint16Array {
  let volume = 0;
  for (let at = 0; at < triangles.length; at += 3) {
    const [a, b, c] = [triangles[at]! * 3, triangles[at + 1]! * 3, triangles[at + 2]! * 3];
    const [nx, ny, nz] = faceNormal(positions, a, b, c);
    volume += nx * positions[a]! + ny * positions[a + 1]! + nz * positions[a + 2]!;
  }
  if (volume >= 0) return triangles;
  const turned = triangles.slice();
  for (let at = 0; at < turned.length; at += 3) {
    turned.set([triangles[at]!, triangles[at + 2]!, triangles[at + 1]!], at);
  }
  return turned;
}

/** Mean of the adjoining faces' normals, weighted by area. */
function vertexNormals(positions: Float32Array, triangles: Uint16Array): Float32Array {
  const sums = new Float32Array(positions.length);
  for (let at = 0; at < triangles.length; at += 3) {
    const corners = [triangles[at]! * 3, triangles[at + 1]! * 3, triangles[at + 2]! * 3] as const;
    const normal = faceNormal(positions, ...corners);
    for (const corner of corners) for (let axis = 0; axis < 3; axis++) sums[corner + axis]! += normal[axis]!;
  }
  return normalised(sums);
}

function faceNormal(positions: Float32Array, a: number, b: number, c: number): [number, number, number] {
  const [ux, uy, uz] = difference(positions, b, a);
  const [vx, vy, vz] = difference(positions, c, a);
  return [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
}

const difference = (positions: Float32Array, to: number, from: number): Vector => [
  positions[to]! - positions[from]!,
  positions[to + 1]! - positions[from + 1]!,
  positions[to + 2]! - positions[from + 2]!,
];

/** Keeps the division below from dividing by zero at vertices whose triangles are all degenerate. */
const tinyLength = 1e-12;

function normalised(vectors: Float32Array): Float32Array {
  return vectors.map((value, index) => {
    const first = index - (index % 3);
    return value / (Math.sqrt(vectors[first]! ** 2 + vectors[first + 1]! ** 2 + vectors[first + 2]! ** 2) + tinyLength);
  });
}
