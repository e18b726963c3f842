/**
 * The import law (docs/architecture.md). Stages meet in the store, so that each can be stopped, restarted and run alone;
 * the ground knows nothing of the stages, so that it can be read, tested and replaced alone.
 */
const ground = "^src/(errors\\.ts|math/|onnx/|image/|text/|xgboost/)";
const shared = "^src/(records\\.ts|task\\.ts|contracts\\.ts|store/contract\\.ts)";
const stages = ["ingest", "label", "review", "train", "calibrate", "route"];
const test = "(\\.test\\.ts|-suite\\.ts|/testing/)";

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "math-imports-nothing",
      severity: "error",
      from: { path: "^src/math/", pathNot: test },
      to: { path: "^src/", pathNot: "^src/math/" },
    },
    {
      name: "ground-imports-ground",
      severity: "error",
      from: { path: ground, pathNot: test },
      to: { path: "^src/", pathNot: ground },
    },
    {
      name: "nouns-import-nouns",
      severity: "error",
      from: { path: shared },
      to: { path: "^src/", pathNot: [shared, "^src/errors\\.ts", "^src/math/"] },
    },
    {
      name: "store-implements-its-contract",
      severity: "error",
      from: { path: "^src/store/", pathNot: [test, "contract\\.ts$"] },
      to: { path: "^src/", pathNot: [ground, shared, "^src/store/"] },
    },
    ...stages.map((stage) => ({
      name: `${stage}-imports-no-sibling`,
      severity: "error",
      from: { path: `^src/${stage}/`, pathNot: test },
      to: { path: "^src/", pathNot: [ground, shared, `^src/${stage}/`] },
    })),
    {
      name: "nothing-imports-the-command-line",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cli/" },
      to: { path: "^src/cli/" },
    },
    { name: "no-cycles", severity: "error", from: { path: "^src/" }, to: { circular: true } },
    {
      name: "product-imports-no-development-tools",
      severity: "error",
      from: { path: "^src/", pathNot: test },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // dependency-cruiser cannot read TypeScript 7 yet; its swc parser can, type imports included.
    parser: "swc",
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { extensions: [".ts", ".js"], exportsFields: ["exports"], conditionNames: ["node", "import"] },
  },
};
