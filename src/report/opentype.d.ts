/** What we use of opentype.js 2.0; its published types are of 1.3 and bring the browser's globals into the whole program. */
declare module "opentype.js" {
  type Point = { readonly x: number; readonly y: number };
  export type PathCommand =
    | ({ readonly type: "M" | "L" } & Point)
    | ({ readonly type: "Q"; readonly x1: number; readonly y1: number } & Point)
    | ({
        readonly type: "C";
        readonly x1: number;
        readonly y1: number;
        readonly x2: number;
        readonly y2: number;
      } & Point)
    | { readonly type: "Z" };
  export type Glyph = {
    readonly advanceWidth?: number;
    getPath(x: number, y: number, fontSize: number): { readonly commands: readonly PathCommand[] };
  };
  export type Font = {
    readonly unitsPerEm: number;
    charToGlyph(character: string): Glyph;
    /** 0 where the font lacks it. */
    charToGlyphIndex(character: string): number;
  };
  const opentype: { parse(file: ArrayBuffer): Font };
  export = opentype;
}
