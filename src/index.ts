/**
 * @file The public API, in the order in which data flows. What is not named here may change without notice.
 */

// The contracts, for those who bring their own teacher, student, store or clock.
export type {
  Clock,
  Progress,
  Student,
  Teacher,
  TeacherAnswer,
  TeacherFieldsAnswer,
  TeacherRequest,
} from "./contracts.ts";
export { TeacherError } from "./contracts.ts";
// What goes wrong.
export { FlywheelError } from "./errors.ts";
export { type InitOptions, initWorkspace } from "./flywheel/init.ts";
// The workspace: every command of the wheel as a method.
export {
  type Flywheel,
  type FlywheelOptions,
  type IngestWork,
  openFlywheel,
  type ServeOptions,
  type TrainOutcome,
  type Work,
} from "./flywheel/open.ts";
export { type FieldsFlywheel, type FieldsStatus, openFieldsFlywheel, type PerField } from "./flywheel/open-fields.ts";
export type { ReviewExport, ReviewFormat } from "./flywheel/review-files.ts";
export type { Status } from "./flywheel/status.ts";
export type { Challenger, FinishedRound, RoundOutcome } from "./improve/run-round.ts";
// What the methods return.
export type { IngestSummary } from "./ingest/ingest.ts";
export type { FieldsLabelSummary, LabelSummary } from "./label/label-rows.ts";
export type { LabellingPlan } from "./label/plan-labelling.ts";
// The nouns.
export type {
  Annotation,
  Calibrator,
  Certificate,
  Champion,
  Decision,
  Estimate,
  Label,
  LabelValue,
  ModelCard,
  Policy,
  Round,
  Row,
  RowId,
  Target,
} from "./records.ts";
export { FieldsSummary, Summary } from "./report/summary.ts";
export type { FieldsReportFiles } from "./report/write-fields-report.ts";
export type { ReportFiles } from "./report/write-report.ts";
export type { ReviewImport } from "./review/import-problem.ts";
// A first look at a log, before there is a workspace.
export { renderScan } from "./scan/page.ts";
export { type ScanOptions, type ScanResult, scanLog } from "./scan/scan.ts";
export type { Server } from "./serve/server.ts";
// A teacher without a model, for tests.
export {
  type SimulatedTeacher,
  type SimulatedTeacherOptions,
  startSimulatedTeacher,
} from "./simulate/teacher-server.ts";
export type { Store } from "./store/contract.ts";
export { openSqliteStore } from "./store/sqlite.ts";
// The task: what is decided, by whom, how well and for how much.
export {
  defineFieldsTask,
  defineTask,
  type FieldsTask,
  type FieldsTaskDefinition,
  type Task,
  type TaskDefinition,
} from "./task.ts";
export { loadStudent } from "./train/load-student.ts";
export { version } from "./version.ts";
// Anybody's XGBoost classifier as an ONNX file.
export {
  describeXgboost,
  type XgboostDescription,
  type XgboostToOnnxOptions,
  xgboostToOnnx,
} from "./xgboost/convert.ts";
