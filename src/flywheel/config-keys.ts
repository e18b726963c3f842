/**
 * @file What every key of a config does, and what happens when it changes after a workspace has been used. The test walks
 * the schema: a key without an entry fails. `docs/configuration.md` is written from here (`scripts/configuration-docs.ts`).
 */

/** What happens to a change, and how it is said. */
export const configChanges = {
  data: "refused (`config_changed`) once rows that were ingested do not fit: they would have to be other rows",
  question:
    "applied: it is another question. Rows are asked again by `flywheel label`, earlier answers stay aside, and the champion's certificate is void (`flywheel status` says so) until another is certified",
  reading: "applied to what is ingested from then on; rows that are there stay as they are",
  labelling: "applied by the next `flywheel label`; answers that are there are kept",
  asking: "applied by the next command, and by a server when it is restarted",
  training: "applied by the next `flywheel train` or `improve`; the champion stays as it was trained",
  certificate:
    "applied by the next `flywheel train` or `improve`; until then the champion keeps the promise that it was certified for, and `flywheel status` says that it is another",
  "certificate-next": "applied by the next `flywheel train` or `improve`",
  serving: "applied by a server when it is restarted",
  report: "applied by the next `flywheel report`",
} as const;
export type ConfigChange = keyof typeof configChanges;

export type ConfigKey = { readonly does: string; readonly change: ConfigChange };

export const configKeys: Readonly<Record<string, ConfigKey>> = {
  name: {
    does: "Name of the task: lower case letters, digits, `-` and `_`. The model's name on the wire.",
    change: "serving",
  },
  input: { does: "What is decided about.", change: "data" },
  instructions: {
    does: "The question, as the teacher is asked it. Of a task of several fields: what the inputs are, told before the questions.",
    change: "question",
  },
  "output.kind": {
    does: "One of several labels (`choice`), yes or no (`predicate`), or ordered levels (`score`).",
    change: "question",
  },
  "output.choices[].value": { does: "A label. A choice may be a plain string.", change: "question" },
  "output.choices[].description": { does: "What is told to whoever is to choose.", change: "question" },
  "output.choices[].synonyms": { does: "Other spellings that a teacher or a reviewer may use.", change: "question" },
  "output.synonyms.true": { does: "Of a predicate: other spellings of yes.", change: "question" },
  "output.synonyms.false": { does: "Of a predicate: other spellings of no.", change: "question" },
  "output.levels[].label": {
    does: "A level, from the lowest to the highest. A level may be a plain string.",
    change: "question",
  },
  "output.levels[].description": { does: "What is told to whoever is to choose.", change: "question" },
  "columns.text": {
    does: "Text tasks: the column that holds the text; `text`, `input`, `sentence`, `content` or `message` where absent.",
    change: "reading",
  },
  "columns.features": {
    does: "Record tasks: the columns that are features, with their types (`number`, `category`, `boolean`, `text`, `date`, `duration`); `auto`: all but `gold`, `id` and `ignore`.",
    change: "data",
  },
  "columns.gold": {
    does: "Column of gold labels: they measure and are never a feature. Of several fields, a column for each that has one.",
    change: "reading",
  },
  "columns.id": { does: "What users call the row: shown beside its source, never a feature.", change: "reading" },
  "columns.ignore": { does: "Columns that are left out.", change: "reading" },
  "columns.keep": {
    does: "Columns that are features although they look like row numbers, ids or the order of the file.",
    change: "reading",
  },
  "columns.decimal": {
    does: 'What stands before the decimals in text: with `","`, `1.180` is 1180. Where absent each column of words decides for itself.',
    change: "reading",
  },
  "columns.dateOrder": {
    does: "Of dates such as 03/04/2025, where the column itself does not say: day or month first.",
    change: "training",
  },
  "teacher.model": {
    does: "`google/…`, `openai/…`, `anthropic/…`, or `compatible/…` with `baseUrl` (OpenRouter, Ollama, vLLM, the simulator).",
    change: "question",
  },
  "teacher.secondModel": { does: "The model of pass 2 and 3, if it is to be another one.", change: "question" },
  "teacher.baseUrl": { does: "Where a compatible server listens.", change: "asking" },
  "teacher.apiKeyEnv": {
    does: "Name of the environment variable that holds the key; the provider's usual one by default. Never the key itself.",
    change: "asking",
  },
  "teacher.price.inputPerMillionUsd": {
    does: "Dollars for a million tokens asked, instead of the price list's.",
    change: "asking",
  },
  "teacher.price.outputPerMillionUsd": {
    does: "Dollars for a million tokens answered, instead of the price list's.",
    change: "asking",
  },
  "teacher.passes": {
    does: "How often each row is asked when labelling. 2: asked twice, differently, and a third time where the two differ. 1: half the price, and no measure of how sure the teacher is.",
    change: "labelling",
  },
  "teacher.maxConcurrency": { does: "Most requests under way at once; the pace adapts below it.", change: "asking" },
  "teacher.timeoutMs": { does: "How long one request may take.", change: "asking" },
  "teacher.maxAttempts": { does: "Most attempts for one row when labelling.", change: "asking" },
  "student.trainer": {
    does: "Images: `mobilenet-v3-small`, `mobilenet-v2`, `mobilenet-v4-conv-small`, `onnx`. Texts: `linear-text`, `xgboost`, `embedding-text`, `encoder-text`. Records: `xgboost`. `auto`: the cheapest of the best that input and `weights` allow.",
    change: "training",
  },
  "student.weights": {
    does: "A `.safetensors` or `.onnx` file, a hub name (`hf:…`), or `imagenet`; from scratch where absent. Texts: a folder with an encoder, or its hub name.",
    change: "training",
  },
  "student.weightsSha256": { does: "Checked against what `weights` resolves to. 64 hex digits.", change: "training" },
  "student.imageSize": { does: "Side of the square input, pixels.", change: "training" },
  "student.normalisation.mean": {
    does: "Subtracted from each RGB channel of pixels in [0, 1]; for an ONNX file that does not say.",
    change: "training",
  },
  "student.normalisation.std": { does: "Divides each RGB channel after that.", change: "training" },
  "student.epochs": {
    does: "Passes over the training rows; the trainer's own number where absent.",
    change: "training",
  },
  "student.batchSize": { does: "Rows of one step.", change: "training" },
  "student.learningRate": { does: "Of the optimiser.", change: "training" },
  "student.weightDecay": { does: "Of the optimiser.", change: "training" },
  "student.labelSmoothing": { does: "Share of each label that is spread over the others.", change: "training" },
  "student.optimiser": { does: "Of networks.", change: "training" },
  "student.finetune": {
    does: "`head`: the backbone stays frozen; `all`: it is unfrozen after the head; `auto`: all from 50 rows a class.",
    change: "training",
  },
  "student.augment": { does: "Whether photos are varied while training.", change: "training" },
  "student.rounds": {
    does: "What a round of `improve` starts from: the starting weights again (`refit`), or the champion (`continue`).",
    change: "training",
  },
  "student.threads": { does: "Of training and serving; all cores where absent.", change: "training" },
  "student.committee": {
    does: "Other students whose disagreement says what is not to be answered: five of other folds, or up to four earlier champions.",
    change: "training",
  },
  "student.xgboost.num_boost_round": { does: "Trees for each class.", change: "training" },
  "student.xgboost.early_stopping_rounds": {
    does: "Stop after as many rounds without a better log loss on the calibrate split; 0: never.",
    change: "training",
  },
  "student.xgboost.eta": { does: "XGBoost's own parameter `eta`; its default where absent.", change: "training" },
  "student.xgboost.max_depth": {
    does: "XGBoost's own parameter `max_depth`; its default where absent.",
    change: "training",
  },
  "student.xgboost.min_child_weight": {
    does: "XGBoost's own parameter `min_child_weight`; its default where absent.",
    change: "training",
  },
  "student.xgboost.gamma": { does: "XGBoost's own parameter `gamma`; its default where absent.", change: "training" },
  "student.xgboost.max_delta_step": {
    does: "XGBoost's own parameter `max_delta_step`; its default where absent.",
    change: "training",
  },
  "student.xgboost.subsample": {
    does: "XGBoost's own parameter `subsample`; its default where absent.",
    change: "training",
  },
  "student.xgboost.colsample_bytree": {
    does: "XGBoost's own parameter `colsample_bytree`; its default where absent.",
    change: "training",
  },
  "student.xgboost.colsample_bylevel": {
    does: "XGBoost's own parameter `colsample_bylevel`; its default where absent.",
    change: "training",
  },
  "student.xgboost.colsample_bynode": {
    does: "XGBoost's own parameter `colsample_bynode`; its default where absent.",
    change: "training",
  },
  "student.xgboost.lambda": { does: "XGBoost's own parameter `lambda`; its default where absent.", change: "training" },
  "student.xgboost.alpha": { does: "XGBoost's own parameter `alpha`; its default where absent.", change: "training" },
  "student.xgboost.scale_pos_weight": {
    does: "XGBoost's own parameter `scale_pos_weight`; its default where absent.",
    change: "training",
  },
  "student.xgboost.tree_method": {
    does: "XGBoost's own parameter `tree_method`; its default where absent.",
    change: "training",
  },
  "student.xgboost.grow_policy": {
    does: "XGBoost's own parameter `grow_policy`; its default where absent.",
    change: "training",
  },
  "student.xgboost.max_leaves": {
    does: "XGBoost's own parameter `max_leaves`; its default where absent.",
    change: "training",
  },
  "student.xgboost.max_bin": {
    does: "XGBoost's own parameter `max_bin`; its default where absent.",
    change: "training",
  },
  "student.xgboost.num_parallel_tree": {
    does: "XGBoost's own parameter `num_parallel_tree`; its default where absent.",
    change: "training",
  },
  "student.xgboost.max_cat_to_onehot": {
    does: "XGBoost's own parameter `max_cat_to_onehot`; its default where absent.",
    change: "training",
  },
  "student.xgboost.max_cat_threshold": {
    does: "XGBoost's own parameter `max_cat_threshold`; its default where absent.",
    change: "training",
  },
  "student.xgboost.monotone_constraints": {
    does: "By feature: 1, the score may only rise with it; −1, only fall.",
    change: "training",
  },
  "student.text.words": { does: "N-grams of words, shortest and longest; false: none.", change: "training" },
  "student.text.characters": {
    does: "N-grams of characters within words, shortest and longest; false: none.",
    change: "training",
  },
  "student.text.minDocuments": { does: "N-grams in fewer texts are left out.", change: "training" },
  "student.text.hashed": { does: "Bits of the hash that names a feature; absent: all n-grams.", change: "training" },
  "student.text.c": {
    does: "Inverse strengths of the penalty (scikit-learn's C), rising; the best out of fold is taken.",
    change: "training",
  },
  "student.text.classWeight": {
    does: "`balanced`: rare classes count for as much as common ones.",
    change: "training",
  },
  "target.kind": {
    does: "`regret`: P(answered and wrong) over all traffic. `selective`: P(wrong, given answered).",
    change: "certificate",
  },
  "target.risk": { does: "The risk that is promised not to be exceeded.", change: "certificate" },
  "target.delta": { does: "Probability with which the promise may fail.", change: "certificate" },
  "target.recall": {
    does: "By class: the share of its rows that must be answered right or escalated, certified beside the risk.",
    change: "certificate",
  },
  "target.never": {
    does: "Classes that the student never answers: where it says one, the teacher is asked.",
    change: "certificate",
  },
  reference: { does: "Whose labels errors are counted against when certifying.", change: "certificate" },
  "splits.train": { does: "Share of ingested rows that train. The three sum to 1.", change: "data" },
  "splits.calibrate": { does: "Share that calibrates.", change: "data" },
  "splits.certify": { does: "Share that certifies.", change: "data" },
  budgetUsd: {
    does: "Hard stop over the life of the workspace, counting requests in flight; absent: no limit.",
    change: "asking",
  },
  "audit.uniformRate": {
    does: "Share of all traffic drawn before routing and labelled whatever the student says: certifies and monitors.",
    change: "serving",
  },
  "audit.rate": { does: "Mean share of the remaining confident traffic that is audited.", change: "serving" },
  "promotion.margin": {
    does: "What a challenger may lose in accuracy and still be promoted.",
    change: "certificate-next",
  },
  whenTeacherDown: {
    does: "What becomes of a request that the teacher cannot take: the student's answer, flagged; a 503; or a place in the queue.",
    change: "serving",
  },
  "retention.decisionDays": {
    does: "For how many days a server keeps decisions; for ever where absent. Counters, monitors, labels and certificates stay.",
    change: "serving",
  },
  "outOfScope.share": {
    does: "Share of usual traffic that may be escalated for being unlike the training data. 0: never.",
    change: "certificate-next",
  },
  "costs.hostingPerMonthUsd": { does: "For the cost worksheet.", change: "report" },
  "costs.reviewPerRulingUsd": { does: "For the cost worksheet.", change: "report" },
  "fields.*.instructions": { does: "The question of this field.", change: "question" },
  "fields.*.output.kind": {
    does: "One of several labels (`choice`), yes or no (`predicate`), or ordered levels (`score`).",
    change: "question",
  },
  "fields.*.output.choices[].value": { does: "A label. A choice may be a plain string.", change: "question" },
  "fields.*.output.choices[].description": { does: "What is told to whoever is to choose.", change: "question" },
  "fields.*.output.choices[].synonyms": {
    does: "Other spellings that a teacher or a reviewer may use.",
    change: "question",
  },
  "fields.*.output.synonyms.true": { does: "Of a predicate: other spellings of yes.", change: "question" },
  "fields.*.output.synonyms.false": { does: "Of a predicate: other spellings of no.", change: "question" },
  "fields.*.output.levels[].label": {
    does: "A level, from the lowest to the highest. A level may be a plain string.",
    change: "question",
  },
  "fields.*.output.levels[].description": { does: "What is told to whoever is to choose.", change: "question" },
  "fields.*.target.kind": { does: "As `target.kind`, of this field alone.", change: "certificate" },
  "fields.*.target.risk": { does: "As `target.risk`.", change: "certificate" },
  "fields.*.target.delta": { does: "As `target.delta`.", change: "certificate" },
  "fields.*.target.recall": { does: "As `target.recall`.", change: "certificate" },
  "fields.*.target.never": { does: "As `target.never`.", change: "certificate" },
  answer: {
    does: "`each`: the fields that the student is sure of are answered locally; `together`: a row is answered locally only if every field of it is.",
    change: "serving",
  },
};
