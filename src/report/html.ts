/**
 * @file A tagged template that escapes whatever it is given. Labels, file names, notes and instructions are other people's
 * text: the only way past the escape is `trusted`, for markup that we made ourselves.
 *
 * Attribute values must be quoted in templates; then one escape serves text and attributes alike.
 */

declare const brand: unique symbol;
/** Markup that is safe to show. Only `html` and `trusted` make it. */
export type Html = { readonly markup: string; readonly [brand]?: never };

export type Child = Html | string | number | undefined | readonly Child[];

/** Markup from a template. Strings are escaped, arrays joined, absent values leave nothing. */
export function html(template: TemplateStringsArray, ...children: readonly Child[]): Html {
  const markup = template.reduce((text, part, index) => text + render(children[index - 1]) + part);
  return { markup };
}

/** Markup that we made ourselves and that holds no text of others unescaped (a chart, a style sheet). */
export const trusted = (markup: string): Html => ({ markup });

/** Nothing. */
export const none: Html = { markup: "" };

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function render(child: Child): string {
  if (child === undefined) return "";
  if (typeof child === "string") return escapeHtml(child);
  if (typeof child === "number") return String(child);
  return isList(child) ? child.map(render).join("") : child.markup;
}

// Array.isArray does not narrow readonly arrays.
function isList(child: Html | readonly Child[]): child is readonly Child[] {
  return Array.isArray(child);
}
