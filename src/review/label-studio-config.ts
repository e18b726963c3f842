/** @file The labelling configuration (XML) that goes with our Label Studio tasks. */

import type { LabelValue } from "../records.ts";
import { classesOf, type Task } from "../task.ts";

/** Names of the controls; every result refers to them. */
export const controlName = "label";
export const shownName = "input";

/** To be pasted into the project's labelling interface. */
export function labelStudioConfig(task: Task): string {
  const choices = classesOf(task).map((label) => `    <Choice value="${escapeXml(label)}"${hintOf(task, label)}/>`);
  return [
    "<View>",
    `  <Header value="${escapeXml(task.instructions)}"/>`,
    `  ${shownTag(task)}`,
    `  <Choices name="${controlName}" toName="${shownName}" choice="single" showInLine="true">`,
    ...choices,
    "  </Choices>",
    "</View>",
    "",
  ].join("\n");
}

function shownTag(task: Task): string {
  switch (task.input) {
    case "image":
      return `<Image name="${shownName}" value="$image"/>`;
    case "text":
      return `<Text name="${shownName}" value="$text"/>`;
    case "record":
      return `<Table name="${shownName}" value="$record"/>`;
    default:
      return task.input satisfies never;
  }
}

function hintOf(task: Task, label: LabelValue): string {
  const choice = task.output.kind === "choice" ? task.output.choices.find(({ value }) => value === label) : undefined;
  return choice?.description ? ` hint="${escapeXml(choice.description)}"` : "";
}

/** For attribute values. White space other than blanks is written as a reference: a parser would turn it into blanks. */
export function escapeXml(text: string): string {
  return withoutControls(text).replace(/[&<>"'\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/**
 * XML 1.0 cannot hold control characters or lone surrogates, not even as references.
 * Also what a choice is called in tasks and results, which must say the same as the configuration.
 */
export function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to be replaced
  return text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
}
