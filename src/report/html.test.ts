import fc from "fast-check";
import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { escapeHtml, html, none, trusted } from "./html.ts";

test("text is escaped, in content and in quoted attributes", () => {
  const hostile = `"><img src=x onerror='alert(1)'>&`;
  const { markup } = html`<p title="${hostile}">${hostile}</p>`;
  expect(markup).toBe(
    `<p title="${escapeHtml(hostile)}">&#34;&#62;&#60;img src=x onerror=&#39;alert(1)&#39;&#62;&#38;</p>`,
  );
});

test("templates nest without being escaped twice, lists are joined, absent values leave nothing", () => {
  const items = ["a<b", "c"].map((item) => html`<li>${item}</li>`);
  expect(html`<ul>${items}${undefined}${none}</ul>${trusted("<hr>")}${3}`.markup).toBe(
    "<ul><li>a&#60;b</li><li>c</li></ul><hr>3",
  );
});

test("whatever the text, the page shows it and gains no element by it", () => {
  const telling = fc.constantFrom(..."<>&\"'/=;#! \nx3é", "ラ", "🍎", "</", "<!--", "]]>", "&lt;");
  // A parser may normalise line ends and drop NUL; nothing else may change.
  const seen = (text: string | null) => (text ?? "").replace(/[\r\n\0]/g, "");
  fc.assert(
    fc.property(fc.array(fc.string({ unit: telling }), { minLength: 1, maxLength: 20 }), (texts) => {
      const paragraphs = texts.map((text) => html`<p title="${text}">${text}</p>`);
      const { document } = parseHTML(html`<!doctype html><html><body>${paragraphs}</body></html>`.markup);
      const elements = [...document.querySelectorAll("body *")];
      expect(elements.map((element) => seen(element.textContent))).toEqual(texts.map(seen));
    }),
    { numRuns: 100 },
  );
});
