/**
 * @file The look of every chart: one frame, one type size, and colours by role, written as CSS variables so that one drawing
 * serves light, dark and print. A PNG knows no variables: `withColours` puts the light palette in their place.
 *
 * Roles are told apart by blue and orange first (safe for every common colour blindness), and by shape or label as well.
 */

export const colours = {
  ink: "var(--ink)",
  muted: "var(--muted)",
  line: "var(--line)",
  surface: "var(--surface)",
  student: "var(--student)",
  teacher: "var(--teacher)",
  error: "var(--error)",
  certified: "var(--certified)",
} as const;

export type Role = keyof typeof colours;
export type Palette = { readonly [R in Role]: string };

export const light: Palette = {
  ink: "#1a1f26",
  muted: "#5b6673",
  line: "#dfe4ea",
  surface: "#ffffff",
  student: "#1f6fb2",
  teacher: "#b9651b",
  error: "#c2402f",
  certified: "#18794e",
};

export const dark: Palette = {
  ink: "#e7eaee",
  muted: "#9aa5b1",
  line: "#323a44",
  surface: "#1a1f26",
  student: "#6db3f2",
  teacher: "#eda65f",
  error: "#f0806f",
  certified: "#5cc497",
};

const roles = Object.keys(colours) as readonly Role[];

/** CSS declarations of a palette: `--ink: #1a1f26; …` */
export function paletteCss(palette: Palette): string {
  return roles.map((role) => `--${role}: ${palette[role]};`).join(" ");
}

/** The drawing with plain colours in place of variables, for renderers that know none. */
export function withColours(svg: string, palette: Palette): string {
  return roles.reduce((text, role) => text.replaceAll(colours[role], palette[role]), svg);
}

/** `wide` for a page, a print or a slide; `narrow` for a telephone or half a column. Drawn apart: text must not shrink. */
export type ChartSize = "wide" | "narrow";

export const chartWidths: { readonly [S in ChartSize]: number } = { wide: 720, narrow: 360 };

export const FONT_FAMILY = "Inter, system-ui, sans-serif";
export const FONT_SIZE = 12;
