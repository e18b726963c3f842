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
    const [x, y, z] = faceNormal(positions, triangles[at]! * 3, triangles[at + 1]! * 3, triangles[at + 2]! * 3);
    for (let corner = 0; corner < 3; corner++) {
      const vertex = triangles[at + corner]! * 3;
      sums[vertex]! += x;
      sums[vertex + 1]! += y;
      sums[vertex + 2]! += z;
    }
  }
  return normalised(sums);
}

/** Twice the area long. */
function faceNormal(positions: Float32Array, a: number, b: number, c: number): Vector {
  const ux = positions[b]! - positions[a]!;
  const uy = positions[b + 1]! - positions[a + 1]!;
  const uz = positions[b + 2]! - positions[a + 2]!;
  const vx = positions[c]! - positions[a]!;
  const vy = positions[c + 1]! - positions[a + 1]!;
  const vz = positions[c + 2]! - positions[a + 2]!;
  return [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
}

/** Keeps the division below from dividing by zero at vertices whose triangles are all degenerate. */
const tinyLength = 1e-12;

function normalised(vectors: Float32Array): Float32Array {
  for (let first = 0; first < vectors.length; first += 3) {
    const [x, y, z] = [vectors[first]!, vectors[first + 1]!, vectors[first + 2]!];
    const length = Math.sqrt(x * x + y * y + z * z) + tinyLength;
    vectors[first] = x / length;
    vectors[first + 1] = y / length;
    vectors[first + 2] = z / length;
  }
  return vectors;
}
