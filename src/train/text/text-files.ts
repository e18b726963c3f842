/** @file What lies in the folder of a text student beside `model.onnx` and the card. */

export const vocabularyFile = "vocabulary.bin";
/** Absent of models of earlier versions: these take every text for familiar. */
export const neighboursFile = "neighbours.bin";
