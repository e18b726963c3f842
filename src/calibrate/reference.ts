/** @file Whose word counts as right: the teacher's verdict under one prompt version, and people's rulings. */

import type { Annotation, LabelValue, PersonAnnotation, TeacherAnnotation } from "../records.ts";

/** What each side says of one row. */
export type Words = { readonly teacher: LabelValue | undefined; readonly person: LabelValue | undefined };

export function wordsOf(annotations: readonly Annotation[], promptVersion: string): Words {
  return { teacher: teacherVerdict(annotations, promptVersion), person: ruling(annotations) };
}

/** The consensus of the teacher's passes, else its first answer; undefined where it never gave one. */
function teacherVerdict(annotations: readonly Annotation[], promptVersion: string): LabelValue | undefined {
  const answers = annotations
    .filter((annotation): annotation is TeacherAnnotation => annotation.annotator === "teacher")
    .filter((annotation) => annotation.promptVersion === promptVersion)
    .toSorted((a, b) => a.pass - b.pass)
    .flatMap(({ value }) => (value === undefined ? [] : [value]));
  const isMajority = (value: LabelValue) => 2 * answers.filter((other) => other === value).length > answers.length;
  return answers.find(isMajority) ?? answers[0];
}

/** The last word of any person. */
function ruling(annotations: readonly Annotation[]): LabelValue | undefined {
  return annotations
    .filter((annotation): annotation is PersonAnnotation => annotation.annotator === "person")
    .toSorted((a, b) => a.at - b.at)
    .at(-1)?.value;
}
