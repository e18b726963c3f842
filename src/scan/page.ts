/** @file The scan as one self-contained HTML file, to be forwarded to whoever pays for the calls. Nothing in it is fetched. */

import { basename } from "node:path";
import { count, decimal, instant, percent, percentInterval, plural, shorten, usd } from "../report/format.ts";
import { type Child, type Html, html, none } from "../report/html.ts";
import { documentOf } from "../report/page/document.ts";
import { type Entry, entries, figure, partsBar, section, share, table } from "../report/page/parts.ts";
import { decisionChart } from "./chart.ts";
import { HEADLINE_RISK, type ScanLevel, type ScanResult } from "./scan.ts";
import type { DecisionStudy, FieldStudy } from "./study-decision.ts";

export function renderScan(result: ScanResult): string {
  const title = headlineOf(result);
  const body = html`<div class="inner">
<header>
  <p class="eyebrow">Flywheel scan · ${basename(result.source)} · ${instant(result.at)}</p>
  <h1>${title}</h1>
  <p class="explanation">${explanation(result)}</p>
  ${keyFigures(result)}
</header>
</div>
<main>
${levelsPart(result)}
${result.decisions.map((decision, index) => decisionPart(decision, index + 1))}
${othersPart(result)}
${methodPart(result)}
<footer>Intervals are 95 %; n is the number of calls behind a figure. Made by Flywheel.</footer>
</main>`;
  return documentOf(title, body);
}

export const headlineLevel = ({ levels }: ScanResult): ScanLevel =>
  levels.find(({ risk }) => risk === HEADLINE_RISK) ?? levels[0]!;

/** The scan in one sentence. */
export function headlineOf(result: ScanResult): string {
  const { answered } = headlineLevel(result);
  if (answered.value === 0)
    return `Too few calls to certify that any of these ${count(result.calls)} could be answered locally`;
  return `${percent(answered.value, 0)} of these ${count(result.calls)} calls could be answered locally`;
}

function explanation({ decisions, delta }: ScanResult): string {
  const risk = percent(HEADLINE_RISK, 0);
  const isSeveral = decisions.some(({ fields }) => fields.length > 1);
  const several = isSeveral
    ? " Where a call has several answers, each has a model and this promise of its own, and only calls with all of them sure are counted as answered."
    : "";
  return `${plural(decisions.length, "prompt")} in this log ${decisions.length === 1 ? "is" : "are"} decisions: the LLM answers with one of a few labels. A small model learned from the log itself, and was then tried on calls that it had not seen. Where it is sure it can answer alone; at most ${risk} of a decision’s calls would then be answered otherwise than by the LLM, with probability ${percent(1 - delta, 0)}. The rest still go to the LLM.${several}`;
}

function keyFigures(result: ScanResult): Html {
  const level = headlineLevel(result);
  const { answered, savedPerMonthUsd: saved, llmPerMonthUsd: llm } = level;
  const decided = result.decisions.reduce((sum, { calls }) => sum + calls, 0);
  const figures = [
    {
      name: "Answered locally",
      value: percent(answered.value),
      note: `${percentInterval(answered)} of all calls, at a risk of at most ${percent(level.risk, 0)}`,
    },
    {
      name: "Calls that are decisions",
      value: percent(decided / result.calls),
      note: `${count(decided)} of ${count(result.calls)}, ${plural(result.decisions.length, "prompt")}`,
    },
    ...(saved && llm !== undefined
      ? [
          {
            name: saved.value > 0 ? "Saved per month" : "Does not pay yet",
            value: usd(saved.value),
            note: savingNote(result, level),
          },
        ]
      : []),
  ];
  return html`
<dl class="keys">${figures.map(({ name, value, note }) => html`<div><dt>${name}</dt><dd><span class="figure">${value}</span><br><span class="note">${note}</span></dd></div>`)}</dl>`;
}

function savingNote({ volume }: ScanResult, { llmPerMonthUsd = 0, paysFromPerMonth: from }: ScanLevel): string {
  const basis = `of ${usd(llmPerMonthUsd)} for these decisions, at ${count(volume.perMonth)} calls a month`;
  return from === undefined ? basis : `${basis}; pays from ${count(from)} calls a month on`;
}

function levelsPart(result: ScanResult): Html {
  const isPriced = result.money !== undefined;
  const names = [
    "Answered otherwise than by the LLM, at most",
    "Answered locally",
    ...(isPriced ? ["Saved per month", "Pays from, calls a month"] : []),
  ];
  return section(
    {
      id: "levels",
      title: "How much at which risk",
      lead: "The less risk is allowed, the more calls go on to the LLM. Of each decision’s calls at most this share is answered locally and otherwise than the LLM would, in each of its answers where it has several; it is a choice, and can be changed at any time.",
    },
    table({
      caption: "All decisions together; the shaded row is the one quoted above",
      columns: names.map((name, index) => ({ name, numeric: index > 0 })),
      rows: result.levels.map((level) => ({
        marked: level.risk === HEADLINE_RISK,
        cells: [
          percent(level.risk, 0),
          html`<b>${percent(level.answered.value)}</b> <span class="interval">${percentInterval(level.answered)}</span>`,
          ...(isPriced ? moneyCells(level) : []),
        ],
      })),
    }),
    isPriced
      ? none
      : html`<p class="missing">What this would save cannot be said: the price of the model is unknown. <span class="next">Next: <code>flywheel scan … --price IN,OUT</code> (dollars for a million tokens)</span></p>`,
  );
}

function moneyCells({ savedPerMonthUsd: saved, paysFromPerMonth: from }: ScanLevel): readonly Child[] {
  return [
    saved ? html`${usd(saved.value)} <span class="interval">${usd(saved.low)} to ${usd(saved.high)}</span>` : "–",
    from === undefined ? "never" : count(from),
  ];
}

/** As many as there are colours beside that of the rest. */
const SHOWN_LABELS = 4;

function decisionPart(decision: DecisionStudy, nth: number): Html {
  const { prompt, calls, fields } = decision;
  const [field] = fields;
  const isOne = fields.length === 1;
  return section(
    {
      id: `decision-part-${nth}`,
      title: `Decision ${nth}: ${shorten(firstLine(prompt), 70)}`,
      lead: isOne ? `${count(calls)} calls, ${count(field!.labels.length)} labels.` : severalLead(decision),
    },
    html`<p><q>${shorten(prompt.trim() || "(no instructions in the log)", 400)}</q></p>`,
    restPart(decision),
    isOne ? fieldBody(decision, field!, `${nth}`) : severalBody(decision, nth),
  );
}

const severalLead = ({ calls, fields }: DecisionStudy): string =>
  `${count(calls)} calls, each with ${count(fields.length)} answers: ${fields.map(({ name }) => nameOf(name)).join(", ")}. Each has a model of its own; a call needs no LLM only where all of them are sure.`;

const nameOf = (name: string): string => shorten(name || "the answer", 40);

/** What a local answer would lack. */
function restPart({ rest }: DecisionStudy): Html {
  if (rest.length === 0) return none;
  const named = rest.map(({ name, why }) => `${nameOf(name)} (${why})`).join("; ");
  return html`<p class="note">The LLM’s answers also hold what no model here would give: ${named}.</p>`;
}

/** All of them together, a line for each, and then each for itself. */
function severalBody(decision: DecisionStudy, nth: number): readonly Html[] {
  const { fields, whole } = decision;
  const nthLevel = whole.findIndex(({ risk }) => risk === HEADLINE_RISK);
  return [
    table({
      caption: `Answered locally where each may differ from the LLM in at most ${percent(HEADLINE_RISK, 0)} of the calls`,
      columns: [
        { name: "Answer" },
        { name: "Labels", numeric: true },
        { name: "As the LLM, on all held-out calls", numeric: true },
        { name: "Answered locally", numeric: true },
      ],
      rows: [
        ...fields.map(({ name, labels, agreement, levels }) => ({
          cells: [nameOf(name), count(labels.length), share(agreement), share(levels[nthLevel]!.coverage)],
        })),
        { cells: ["all of them at once", "", "", share(whole[nthLevel]!.coverage)], marked: true },
      ],
    }),
    table({
      caption: "Calls that need no LLM, for all answers were sure",
      columns: [{ name: "Risk of each, at most" }, { name: "Answered locally", numeric: true }],
      rows: whole.map(({ risk, coverage }) => ({
        cells: [percent(risk, 0), share(coverage)],
        marked: risk === HEADLINE_RISK,
      })),
    }),
    ...fields.map(
      (field, index) => html`<h3>${nameOf(field.name)}</h3>${fieldBody(decision, field, `${nth}-${index + 1}`)}`,
    ),
  ];
}

function fieldBody(decision: DecisionStudy, field: FieldStudy, nth: string): readonly Html[] {
  const { labels, levels } = field;
  const shown = labels
    .slice(0, SHOWN_LABELS)
    .map(({ value, calls: n }, tone) => ({ name: shorten(value, 40), count: n, tone }));
  const rest = labels.slice(SHOWN_LABELS).reduce((sum, label) => sum + label.calls, 0);
  return [
    entries(factsOf(decision, field)),
    partsBar("What the LLM answered", [
      ...shown,
      ...(rest > 0 ? [{ name: `${labels.length - SHOWN_LABELS} other labels`, count: rest, tone: 4 }] : []),
    ]),
    html`<div class="figures">
${figure(decisionChart(field, nth), { half: true, caption: "Green: certified, for calls that nobody has seen yet." })}
${table({
  caption: "Certified on calls that the model had not seen",
  columns: [{ name: "Risk, at most" }, { name: "Answered locally", numeric: true }],
  rows: levels.map(({ risk, coverage, why, moreRowsNeeded }) => ({
    cells: [
      percent(risk, 0),
      why === undefined
        ? share(coverage)
        : html`nothing <span class="interval">${moreRowsNeeded === undefined ? why : `about ${count(moreRowsNeeded)} more held-out calls needed`}</span>`,
    ],
    marked: risk === HEADLINE_RISK,
  })),
})}
</div>`,
  ];
}

const firstLine = (prompt: string): string => prompt.trim().split("\n", 1)[0] || "no instructions";

function factsOf({ inputs, calls }: DecisionStudy, field: FieldStudy): readonly Entry[] {
  const { agreement, consistency, trainingRows, trainingMs } = field;
  return [
    { name: "The model says what the LLM said, on all held-out calls", value: share(agreement) },
    ...(consistency ? [{ name: "The LLM says the same of the same input again", value: share(consistency) }] : []),
    { name: "Calls that repeat an earlier input", value: percent(1 - inputs / calls) },
    { name: "Learned from", value: `${count(trainingRows)} calls, in ${decimal(trainingMs / 1000, 1)} s` },
  ];
}

const SHOWN_OTHERS = 15;

function othersPart({ others, calls, total, failed, unreadAs }: ScanResult): Html {
  const left = [
    ...(total > calls
      ? [html`<p class="lead">Only the first ${count(calls)} of ${count(total)} calls were looked at.</p>`]
      : []),
    ...(failed > 0 ? [html`<p class="lead">${count(failed)} calls failed, were refused or cut short.</p>`] : []),
    ...Object.entries(unreadAs).map(([what, n]) => html`<p class="lead">${count(n)} ${what}.</p>`),
  ];
  if (others.length === 0)
    return left.length === 0 ? none : section({ id: "others", title: "What was left out" }, left);
  return section(
    { id: "others", title: "What stays with the LLM" },
    table({
      caption: `Prompts that are no decisions${others.length > SHOWN_OTHERS ? `, the ${SHOWN_OTHERS} most frequent of ${count(others.length)}` : ""}`,
      columns: [{ name: "Prompt" }, { name: "Calls", numeric: true }, { name: "Why" }],
      rows: others
        .slice(0, SHOWN_OTHERS)
        .map(({ prompt, calls: n, why }) => ({ cells: [shorten(firstLine(prompt), 100), count(n), why] })),
    }),
    left,
  );
}

function methodPart(result: ScanResult): Html {
  return section(
    { id: "method", title: "How this was found out" },
    html`<ul class="assumptions">${assumptionsOf(result).map((line) => html`<li>${line}</li>`)}</ul>`,
    html`<p>To do it for good: <code>flywheel init</code>, set <code>input: "text"</code>, the instructions and the choices of a decision above (as <code>fields</code> where it has several answers), then <code>flywheel ingest ${result.source}${result.format === "openai-batch" ? " --requests …" : ""}</code> and <code>flywheel train</code>.</p>`,
  );
}

function assumptionsOf({ volume, money, delta, seed }: ScanResult): readonly string[] {
  const volumes = {
    log: "by the times in the log",
    given: "as given",
    assumed: "assumed: the log does not say when its calls were made; give --per-month",
  };
  return [
    "The LLM’s answers are taken as they are: this says how often a small model would answer as the LLM did, not how often either is right.",
    "The model: logistic regression on n-grams of words and characters, learned from 60 % of the inputs; 15 % calibrated its confidence, 25 % certified the thresholds. Equal inputs are one, in one part only.",
    `All certificates on this page hold together with probability ${percent(1 - delta, 0)}, as long as calls stay like those in the log. In service Flywheel watches that, and stops answering where it no longer holds.`,
    `${count(volume.perMonth)} calls a month, ${volumes[volume.basis]}.`,
    ...(money
      ? [
          `A call costs ${usd(money.perCallUsd)} on average, at list prices of ${money.pricesAsOf}${money.isEstimated ? ", tokens guessed from the length of the texts" : ""}: ${money.models.map(({ model, calls }) => `${model} (${count(calls)} calls)`).join(", ")}.`,
          "Saved is what is left after a host at $30 a month, the calls that are asked of the LLM anyway to keep watch (1 % of all, 2 % of the rest that is answered locally), and $0.05 for each ruling of a person.",
        ]
      : []),
    `Seed ${seed}: the same log gives the same page.`,
  ];
}
