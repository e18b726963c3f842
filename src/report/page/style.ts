/** @file The page's look: one column, quiet surfaces, figures that line up; light, dark and on paper. */

import { dark, light, paletteCss } from "../charts/theme.ts";

/** `fontFaces`: `@font-face` rules with the fonts inside them. */
export const styleSheet = (fontFaces: string): string => `${fontFaces}
:root { color-scheme: light dark; ${paletteCss(light)} --paper: #f5f6f8; --shade: #eef1f4; --warn-paper: #fdf3e4; --good-paper: #eaf6ef; }
@media (prefers-color-scheme: dark) { :root { ${paletteCss(dark)} --paper: #11151a; --shade: #232a33; --warn-paper: #33281a; --good-paper: #172a21; } }
@media print { :root { color-scheme: light; ${paletteCss(light)} --paper: #fff; --shade: #eef1f4; --warn-paper: #fdf3e4; --good-paper: #eaf6ef; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 4rem; -webkit-text-size-adjust: 100%; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 400 1rem/1.55 Inter, system-ui, sans-serif; overflow-wrap: anywhere; }
main, .inner { max-width: 58rem; margin: 0 auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; letter-spacing: -0.015em; font-weight: 600; text-wrap: balance; }
h1 { font-size: clamp(1.65rem, 4.6vw, 2.6rem); margin: .35rem 0 .8rem; letter-spacing: -0.025em; }
h2 { font-size: 1.45rem; margin: 0 0 .35rem; }
h3 { font-size: 1rem; margin: 0; }
p { margin: 0 0 .8rem; }
b, strong { font-weight: 600; }
code { font: .875em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--shade); padding: .1em .35em; border-radius: .3em; }
a { color: inherit; }
:focus-visible { outline: 2px solid var(--student); outline-offset: 2px; border-radius: .25rem; }

.banner { background: var(--warn-paper); border-bottom: 1px solid var(--teacher); color: var(--ink); }
.banner p { margin: 0; padding: .65rem 0; font-size: .925rem; }
.banner b { color: var(--teacher); }
header { padding: 2.4rem 0 0; }
.eyebrow { color: var(--muted); font-size: .875rem; margin: 0; }
.explanation { color: var(--muted); font-size: 1.06rem; max-width: 44rem; }

.keys { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr)); gap: 1px; margin: 1.6rem 0 0; padding: 0; background: var(--surface); border: 1px solid var(--line); border-radius: .75rem; overflow: hidden; }
.keys > div { outline: 1px solid var(--line); padding: 1rem 1.1rem .9rem; }
.keys dt { color: var(--muted); font-size: .85rem; }
.keys dd { margin: 0; }
.keys .figure { font-size: 1.9rem; font-weight: 600; letter-spacing: -0.02em; line-height: 1.25; }
.keys .note { color: var(--muted); font-size: .82rem; line-height: 1.4; }

nav { position: sticky; top: 0; z-index: 1; background: var(--paper); border-bottom: 1px solid var(--line); margin-top: 2rem; }
nav ol { display: flex; gap: 1.15rem; margin: 0 auto; padding: .7rem 1rem; max-width: 58rem; list-style: none; overflow-x: auto; scrollbar-width: none; font-size: .9rem; white-space: nowrap; }
nav a { text-decoration: none; color: var(--muted); }
nav a:hover { color: var(--ink); text-decoration: underline; text-underline-offset: .3em; }
nav .absent a { opacity: .6; }

section { padding: 2.6rem 0 0; }
.lead { color: var(--muted); max-width: 44rem; margin-bottom: 1.1rem; }
.missing { border: 1px dashed var(--line); border-radius: .75rem; background: var(--surface); padding: .9rem 1.1rem; color: var(--muted); margin: 0 0 1rem; }
.missing .next { display: block; margin-top: .25rem; }
.warning { border-left: 3px solid var(--teacher); background: var(--warn-paper); padding: .6rem .9rem; border-radius: 0 .5rem .5rem 0; margin: 0 0 1rem; font-size: .95rem; }
.estimate { white-space: normal; }
.interval { color: var(--muted); font-size: .85em; white-space: nowrap; }
.tag { display: inline-block; color: var(--muted); font-size: .8rem; border: 1px solid var(--line); border-radius: 1rem; padding: 0 .55rem; background: var(--surface); white-space: nowrap; }

.certificate { border: 1px solid var(--line); border-left: 4px solid var(--teacher); background: var(--surface); border-radius: .75rem; padding: 1.1rem 1.25rem .4rem; margin: 1.4rem 0 0; }
.certificate.good { border-left-color: var(--certified); }
.certificate h2 { font-size: 1.1rem; margin-bottom: .7rem; }
.certificate dl { display: grid; grid-template-columns: max-content 1fr; gap: .45rem 1.2rem; margin: 0 0 .8rem; font-size: .95rem; }
.certificate dt { color: var(--muted); }
.certificate dd { margin: 0; }

.figures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1.1rem; margin: 0 0 1.1rem; }
figure { margin: 0 0 1.1rem; background: var(--surface); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.1rem; min-width: 0; }
.figures figure { margin: 0; }
.figures .full { grid-column: 1 / -1; }
figcaption p { color: var(--muted); font-size: .88rem; margin: .2rem 0 .5rem; }
svg.chart { display: block; width: 100%; height: auto; }
svg.chart text { white-space: pre; }
figure.full svg.narrow { display: none; }
figure.half svg.narrow { max-width: 26rem; margin: 0 auto; }
details { margin: .6rem 0 0; font-size: .92rem; }
summary { cursor: pointer; color: var(--muted); width: max-content; max-width: 100%; }
summary:hover { color: var(--ink); }

.scroll { overflow-x: auto; margin: 0 0 1.1rem; background: var(--surface); border: 1px solid var(--line); border-radius: .75rem; }
details .scroll { margin: .6rem 0 0; max-height: 26rem; overflow: auto; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .75rem .7rem .5rem; font-weight: 600; }
details caption { font-weight: 400; color: var(--muted); font-size: .85rem; }
th, td { padding: .45rem .7rem; text-align: left; border-top: 1px solid var(--line); vertical-align: baseline; font-weight: 400; }
thead th { color: var(--muted); font-size: .82rem; border-top: 0; white-space: nowrap; vertical-align: bottom; }
td.words { min-width: 9.5rem; }
tbody th { min-width: 5.5rem; overflow-wrap: break-word; }
td code { white-space: nowrap; }
.number .interval { display: block; }
.number { text-align: right; }
td.number { white-space: nowrap; }
tr.marked { background: var(--good-paper); }
tr.marked th, tr.marked td { font-weight: 600; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--student); outline-offset: 2px; }
th[aria-sort="ascending"] button::after { content: " ↑"; }
th[aria-sort="descending"] button::after { content: " ↓"; }

.entries { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: 0 1.4rem; margin: 0 0 1.1rem; background: var(--surface); border: 1px solid var(--line); border-radius: .75rem; padding: .3rem 1.1rem .5rem; }
.entries > div { padding: .5rem 0; }
.entries dt { color: var(--muted); font-size: .85rem; }
.entries dd { margin: 0; }
.entries.long > div { grid-column: 1 / -1; display: grid; grid-template-columns: 12rem 1fr; padding: .3rem 0; }
.entries.long dd { font-size: .9rem; }
.parts { background: var(--surface); border: 1px solid var(--line); border-radius: .75rem; padding: .9rem 1.1rem; margin: 0 0 1.1rem; }
.parts p { margin: 0 0 .5rem; font-size: .9rem; color: var(--muted); }
.bar { display: flex; gap: 2px; height: .8rem; border-radius: .4rem; overflow: hidden; }
.bar span { display: block; min-width: 2px; }
.parts ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.4rem; margin: .6rem 0 0; padding: 0; font-size: .9rem; }
.key { display: inline-block; width: .65rem; height: .65rem; border-radius: .2rem; margin-right: .45rem; }
.part-0 { background: var(--student); } .part-1 { background: var(--teacher); } .part-2 { background: var(--certified); } .part-3 { background: var(--error); } .part-4 { background: var(--muted); }

.confusions { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1.1rem; list-style: none; margin: 0 0 1.1rem; padding: 0; }
.confusions > li { background: var(--surface); border: 1px solid var(--line); border-radius: .75rem; padding: .9rem 1.1rem; min-width: 0; }
.confusions h4 { margin: 0 0 .15rem; font-size: .95rem; font-weight: 600; }
.confusions p { margin: 0 0 .6rem; font-size: .85rem; color: var(--muted); }
.examples { display: flex; flex-wrap: wrap; gap: .6rem; list-style: none; margin: 0; padding: 0; }
.examples li { width: 5.6rem; font-size: .75rem; line-height: 1.35; color: var(--muted); }
.examples li.words { width: 100%; }
.examples img { display: block; margin-bottom: .3rem; width: 5.6rem; height: 5.6rem; object-fit: cover; border-radius: .4rem; background: var(--shade); }
.examples blockquote { margin: 0; color: var(--ink); font-size: .85rem; border-left: 2px solid var(--line); padding-left: .6rem; white-space: pre-wrap; }
.examples .source { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.assumptions { color: var(--muted); font-size: .9rem; padding-left: 1.2rem; }
.assumptions li { margin-bottom: .3rem; }
footer { color: var(--muted); font-size: .85rem; padding: 2.5rem 0 3rem; }

@media (max-width: 47rem) {
  figure.full svg.wide { display: none; }
  figure.full svg.narrow { display: block; }
  .figures, .confusions { grid-template-columns: minmax(0, 1fr); }
  .certificate dl { grid-template-columns: 1fr; gap: 0; }
  .certificate dd { margin-bottom: .55rem; }
  .entries.long > div { grid-template-columns: 1fr; }
  figure { padding: .9rem .75rem; }
  th, td { padding: .45rem .7rem; }
  header { padding-top: 1.5rem; }
}
@media print {
  nav { display: none; }
  html { font-size: 10pt; }
  figure, .confusions > li, .certificate, .keys, tr { break-inside: avoid; }
  h2, h3, figcaption { break-after: avoid; }
  .scroll { overflow: visible; max-height: none; }
  details::details-content { content-visibility: visible; block-size: auto; }
  section { padding-top: 1.4rem; }
}
`;
