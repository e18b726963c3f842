/** @file What lies in the folder of a text student beside `model.onnx` and the card. */

export const vocabularyFile = "vocabulary.bin";
