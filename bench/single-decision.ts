/**
 * @file Bar 4: one decision in process. A text of 100 words, tier 0: p50 of at most 100 µs; a record, 200 trees: p50 of at most
 * 30 µs. scikit-learn's and XGBoost's single rows beside, where `FLYWHEEL_PYTHON` has them.
 */

import { timeRecordDecisions } from "./single-decision-record-support.ts";
import { timeTextDecisions } from "./single-decision-text-support.ts";

const target = { textP50Us: 100, recordP50Us: 30 };
const text = await timeTextDecisions();
console.log("one text of 100 words", text);
const record = await timeRecordDecisions();
console.log("one record, 200 trees", record);
const met = text.flywheel.p50Us <= target.textP50Us && record.flywheel.p50Us <= target.recordP50Us;
console.log(JSON.stringify({ bar: "single-decision", figures: { text, record }, target, met }));
