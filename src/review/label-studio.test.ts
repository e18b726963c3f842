import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { modelId, type Row } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { defineFieldsTask, defineTask, type Task } from "../task.ts";
import { exportLabelStudio, type LabelStudioTask, toLabelStudioTasks } from "./label-studio.ts";
import { escapeXml, labelStudioConfig } from "./label-studio-config.ts";
import { importLabelStudio } from "./label-studio-import.ts";
import type { ReviewItem } from "./review-item.ts";
import { openTemporaryStore, putRows, stillClock, textRow, textTask } from "./testing.ts";

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "label-studio-"));
  file = join(folder, "export.json");
});
afterAll(() => rm(folder, { recursive: true }));

const task = textTask(["glad", "sad"]);

const suspectItem = (row: Row, suggestion: string): ReviewItem => ({
  kind: "suspect",
  row,
  priority: 0.5,
  reasons: ["contradicted"],
  suggestion,
  suggestionShare: 0.8,
  votes: [{ teacher: "google/gemini", pass: 1, value: suggestion }],
  student: { modelId: modelId("ab".repeat(32)), value: "sad", confidence: 0.97 },
});

async function importTasks(store: Store, tasks: unknown, given: Task = task) {
  await writeFile(file, JSON.stringify(tasks));
  return importLabelStudio({ store, task: given, path: file, person: "ann", clock: stillClock });
}

const chooses = (...choices: string[]) => [
  { id: "x", from_name: "label", to_name: "input", type: "choices", value: { choices } },
];
const rulingsOf = async (store: Store, row: Row) =>
  (await store.annotations.ofRow(row.id)).filter((one) => one.annotator === "person");

describe("toLabelStudioTasks", () => {
  test("carries row, reasons, and the teacher's and the student's predictions", async () => {
    await using store = await openTemporaryStore();
    const row = textRow("hello");
    const [exported] = await toLabelStudioTasks({ store, task, items: [suspectItem(row, "glad")] });
    const result = (label: string) => [
      { id: expect.any(String), from_name: "label", to_name: "input", type: "choices", value: { choices: [label] } },
    ];
    expect(exported).toEqual({
      data: { text: "hello", row: row.id, priority: 0.5, reasons: "contradicted" },
      predictions: [
        { model_version: "teacher google/gemini", score: 0.8, result: result("glad") },
        { model_version: "student abababababab", score: 0.97, result: result("sad") },
      ],
    });
    const ids = exported!.predictions.map((one) => one.result[0]!.id);
    expect(new Set(ids).size).toBe(2);
  });

  test("shows nobody's answer beside an audit", async () => {
    await using store = await openTemporaryStore();
    const row = textRow("hello");
    const audit: ReviewItem = { kind: "audit", row, priority: 0.5, reasons: ["audit"] };
    expect((await toLabelStudioTasks({ store, task, items: [audit] }))[0]?.predictions).toEqual([]);
  });

  test("images are embedded, or linked under a prefix", async () => {
    await using store = await openTemporaryStore();
    const blob = await store.blobs.put(Buffer.from("pixels"));
    const input = { kind: "image", blob, width: 1, height: 1, mediaType: "image/png" } as const;
    const items = [suspectItem(textRow("x", { input, source: "my photos/ü 1.png" }), "glad")];
    const [embedded] = await toLabelStudioTasks({ store, task, items });
    expect(embedded?.data["image"]).toBe(`data:image/png;base64,${Buffer.from("pixels").toString("base64")}`);
    const [linked] = await toLabelStudioTasks({ store, task, items, images: { prefix: "/data/local-files/?d=" } });
    expect(linked?.data["image"]).toBe("/data/local-files/?d=my%20photos%2F%C3%BC%201.png");
  });
});

describe("exportLabelStudio", () => {
  test("writes tasks and configuration; large photos are reduced", async () => {
    await using store = await openTemporaryStore();
    const photo = await sharp({ create: { width: 1300, height: 650, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const blob = await store.blobs.put(photo);
    const input = { kind: "image", blob, width: 1300, height: 650, mediaType: "image/png" } as const;
    const items = [suspectItem(textRow("x", { input }), "glad")];
    const [tasks, config] = await exportLabelStudio({ store, task, items, path: join(folder, "tasks.json") });
    expect(await readFile(config, "utf8")).toBe(labelStudioConfig(task));
    expect(config).toBe(join(folder, "tasks.xml"));
    const [exported] = JSON.parse(await readFile(tasks, "utf8"));
    const [head, body] = exported.data.image.split(",");
    expect(head).toBe("data:image/jpeg;base64");
    expect(await sharp(Buffer.from(body, "base64")).metadata()).toMatchObject({ width: 1024, height: 512 });
  });
});

describe("labelStudioConfig", () => {
  test("names the controls that results refer to", () => {
    const config = labelStudioConfig(
      defineTask({
        name: "fruit",
        input: "image",
        instructions: "Apples & pears?",
        output: { kind: "choice", choices: [{ value: "apple", description: 'a "pome"' }, "pear"] },
        teacher: { model: "google/gemini-2.5-flash" },
      }),
    );
    expect(config).toBe(`<View>
  <Header value="Apples &#38; pears?"/>
  <Image name="input" value="$image"/>
  <Choices name="label" toName="input" choice="single" showInLine="true">
    <Choice value="apple" hint="a &#34;pome&#34;"/>
    <Choice value="pear"/>
  </Choices>
</View>
`);
  });

  test("attributes hold no character that a parser would take for markup or turn into a blank, and lose none", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const attribute = escapeXml(text);
        expect(attribute).not.toMatch(/[<>"'\t\n\r]|&(?!#\d+;)/);
        expect(attribute.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code))).toBe(text);
      }),
    );
  });
});

describe("importLabelStudio", () => {
  test("every annotator's last word becomes a ruling with Label Studio's name and time; again changes nothing", async () => {
    await using store = await openTemporaryStore();
    const [row] = await putRows(store, 1);
    const tasks = [
      {
        id: 7,
        data: { text: "…", row: row!.id },
        annotations: [
          { result: chooses("glad"), completed_by: 1, was_cancelled: false, updated_at: "2026-01-02T00:00:00Z" },
          { result: chooses("sad"), completed_by: 1, was_cancelled: false, updated_at: "2026-01-01T00:00:00Z" },
          {
            result: chooses("sad"),
            completed_by: { id: 2, email: "bob@example.org" },
            created_at: "2026-01-01T00:00:00Z",
          },
          { result: chooses("sad"), completed_by: 3, was_cancelled: true },
        ],
      },
    ];
    expect(await importTasks(store, tasks)).toMatchObject({ recorded: 2, rowIds: [row!.id], blank: 0, problems: [] });
    const rulings = await rulingsOf(store, row!);
    expect(rulings.map(({ person, value, at }) => [person, value, new Date(at).toISOString()]).sort()).toEqual([
      ["label-studio:1", "glad", "2026-01-02T00:00:00.000Z"],
      ["label-studio:bob@example.org", "sad", "2026-01-01T00:00:00.000Z"],
    ]);
    expect(await importTasks(store, tasks)).toMatchObject({ recorded: 0, unchanged: 2, rowIds: [] });
  });

  test("an older export, imported after a newer one, does not take the newer word back", async () => {
    await using store = await openTemporaryStore();
    const [row] = await putRows(store, 1);
    const exported = (label: string, day: string) => [
      {
        data: { row: row!.id },
        annotations: [{ result: chooses(label), completed_by: 1, updated_at: `2026-01-${day}` }],
      },
    ];
    await importTasks(store, exported("sad", "05"));
    await importTasks(store, exported("glad", "09"));
    await importTasks(store, exported("sad", "05"));
    const latest = (await rulingsOf(store, row!)).sort((a, b) => a.at - b.at).at(-1);
    expect(latest?.value).toBe("glad");
    expect(await rulingsOf(store, row!)).toHaveLength(2);
  });

  test("reads legacy completions, and controls under another name where there is only one", async () => {
    await using store = await openTemporaryStore();
    const [a, b] = await putRows(store, 2);
    const renamed = chooses("sad").map((one) => ({ ...one, from_name: "mood" }));
    const imported = await importTasks(store, [
      { data: { row: a!.id }, completions: [{ result: chooses("GLAD"), created_at: 1_577_836_800 }] },
      { data: { row: b!.id }, annotations: [{ result: renamed }] },
    ]);
    expect(imported).toMatchObject({ recorded: 2, problems: [] });
    expect(await rulingsOf(store, a!)).toMatchObject([{ person: "ann", value: "glad", at: Date.UTC(2020, 0, 1) }]);
  });

  test("what cannot be taken is reported by task, and the rest is taken", async () => {
    await using store = await openTemporaryStore();
    const [row] = await putRows(store, 1);
    const annotated = (id: string, ...choices: string[]) => ({
      data: { row: id },
      annotations: [{ result: chooses(...choices) }],
    });
    const imported = await importTasks(store, [
      annotated("0".repeat(64), "glad"),
      annotated(row!.id, "furious"),
      annotated(row!.id, "glad", "sad"),
      { data: { text: "somebody else's task" } },
      { data: { row: row!.id }, annotations: [] },
      annotated(row!.id, "sad"),
    ]);
    expect(imported).toMatchObject({ recorded: 1, blank: 1 });
    expect(imported.problems.map(({ where, code }) => [where, code])).toEqual([
      ["task 1", "unknown_row"],
      ["task 2", "unknown_label"],
      ["task 3", "several_labels"],
      ["task 4", "malformed"],
    ]);
  });

  test.each(['{"id":1}', "[", ""])("refuses %j, which is no list of tasks", async (text) => {
    await using store = await openTemporaryStore();
    await writeFile(file, text);
    const importing = importLabelStudio({ store, task, path: file, person: "ann", clock: stillClock });
    await expect(importing).rejects.toMatchObject({ code: "review_file_unreadable" });
  });

  test("whatever the labels, a prediction that a person accepts is read back as that label", async () => {
    await using store = await openTemporaryStore();
    const special = fc.constantFrom('say "x"', "<b>", "a & b", "two\nlines", "tab\there", "naïve", "日本", "\u0001");
    const anything = fc.oneof(special, fc.string({ unit: "binary", minLength: 1, maxLength: 6 }));
    const labels = fc.uniqueArray(anything, { minLength: 2, maxLength: 4 });
    let next = 0;
    await fc.assert(
      fc.asyncProperty(labels, fc.nat(), async (choices, pick) => {
        const given = unambiguous(choices);
        fc.pre(given !== undefined);
        const row = textRow(`row ${next++}`);
        await store.rows.put([row]);
        const value = choices[pick % choices.length]!;
        const exported = await toLabelStudioTasks({ store, task: given!, items: [suspectItem(row, value)] });
        expect((await importTasks(store, accepted(exported), given)).problems).toEqual([]);
        expect((await rulingsOf(store, row))[0]?.value).toBe(value);
      }),
      { numRuns: 12 },
    );
  });
});

/** As Label Studio exports tasks whose first prediction was submitted as it was. */
function accepted(tasks: readonly LabelStudioTask[]): unknown {
  return tasks.map(({ data, predictions }, id) => ({
    id,
    data,
    annotations: [{ id, result: predictions[0]!.result, was_cancelled: false, ground_truth: false, completed_by: 1 }],
  }));
}

/** The task with these choices, or undefined where it would refuse them as alike, or XML cannot tell them apart. */
function unambiguous(choices: readonly string[]): Task | undefined {
  if (new Set(choices.map(escapeXml)).size < choices.length) return undefined;
  try {
    return textTask(choices as unknown as [string, string]);
  } catch {
    return undefined;
  }
}

describe("several fields", () => {
  const letter = defineFieldsTask({
    name: "letter",
    input: "text",
    fields: {
      topic: { instructions: "About what?", output: { kind: "choice", choices: ["bill", "parcel"] } },
      urgent: { instructions: "Does it hurry?", output: { kind: "predicate" } },
    },
    teacher: { model: "google/gemini" },
  });

  test("are one task a row with a control each, and come back as rulings on each", async () => {
    await using store = await openTemporaryStore();
    const [row] = await putRows(store, 1);
    const items = [
      { ...suspectItem(row!, "bill"), field: "topic" },
      { kind: "audit" as const, row: row!, priority: 0.4, reasons: ["audit"] as const, field: "urgent" },
    ];
    const config = labelStudioConfig(letter);
    expect(config).toContain('<Choices name="topic"');
    expect(config).toContain('<Choices name="urgent"');
    const tasks = await toLabelStudioTasks({ store, task: letter, items });
    expect(tasks).toHaveLength(1);
    expect(tasks[0]!.data).toMatchObject({ row: row!.id, fields: "topic urgent" });
    // Nothing is shown beside the audit.
    expect(tasks[0]!.predictions.flatMap(({ result }) => result.map((one) => one.from_name))).toEqual([
      "topic",
      "topic",
    ]);

    const chosen = (from_name: string, choice: string) => ({
      from_name,
      to_name: "input",
      type: "choices",
      value: { choices: [choice] },
    });
    const annotated = tasks.map((one) => ({
      ...one,
      annotations: [{ completed_by: 7, result: [chosen("topic", "parcel"), chosen("urgent", "true")] }],
    }));
    await writeFile(file, JSON.stringify(annotated));
    const read = () => importLabelStudio({ store, task: letter, path: file, person: "ann", clock: stillClock });
    expect(await read()).toMatchObject({ recorded: 2, problems: [] });
    expect(await read()).toMatchObject({ recorded: 0, unchanged: 2 });
    expect(await rulingsOf(store.field("topic"), row!)).toMatchObject([{ value: "parcel", person: "label-studio:7" }]);
    expect(await rulingsOf(store.field("urgent"), row!)).toMatchObject([{ value: "true" }]);
    expect(await rulingsOf(store, row!)).toEqual([]);
  });
});
