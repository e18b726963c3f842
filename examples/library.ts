/**
 * The wheel as a library, with a simulated teacher: `node examples/library.ts`. Renders its own photos into a temporary
 * folder, takes a minute or two, needs no key and no network.
 */

import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { renderPhotos } from "../src/demo/render-photos.ts";
import { defineTask, openFlywheel, startSimulatedTeacher } from "../src/index.ts";
import { loadGoldFile } from "../src/simulate/gold-file.ts";

const directory = await mkdtemp(join(tmpdir(), "flywheel-example-"));
const photos = await renderPhotos({ directory, count: 600, seed: "example", side: 48 });

await using teacher = await startSimulatedTeacher({ ...(await loadGoldFile(photos.gold)), errorRate: 0.02 });

const task = defineTask({
  name: "fruit",
  input: "image",
  output: { kind: "choice", choices: ["apple", "mushroom", "orange", "pear", "sweet_pepper"] },
  instructions: "Which fruit or vegetable does the photo show?",
  teacher: { model: "compatible/simulated", baseUrl: teacher.url },
  student: { imageSize: 48, epochs: 24 },
  // Joint risk needs at least 200 certify rows; of 600 photos that is a larger share than the usual quarter.
  splits: { train: 0.5, calibrate: 0.1, certify: 0.4 },
  target: { kind: "regret", risk: 0.1, delta: 0.1 },
});

await using flywheel = await openFlywheel({ directory, task });
console.log(await flywheel.ingest({ path: photos.photos, goldPath: photos.gold }));
console.log((await flywheel.label()).labels);
const { card, policy, why } = await flywheel.train();
console.log(`${card.trainer}: ${card.trainingRows} rows; ${why}`);
console.log(policy.certificate ?? policy.noCertificate, policy.warnings);
const { htmlPath } = await flywheel.report();
console.log(`report: ${htmlPath}`);
