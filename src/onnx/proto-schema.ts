/**
 * @file The part of the ONNX protobuf schema that models use, as a protobufjs descriptor.
 *
 * Taken from `onnx-ml.proto` of ONNX 1.23 (https://github.com/onnx/onnx, Apache-2.0, © ONNX Project Contributors).
 * Left out: training info, device placement, quantisation annotations, sequence/map/optional types. protobuf skips
 * unknown fields, so a file that has them still reads.
 */

type Field = { type: string; id: number; rule?: "repeated"; options?: { packed: boolean } };

const one = (type: string, id: number): Field => ({ type, id });
const many = (type: string, id: number): Field => ({ type, id, rule: "repeated", options: { packed: false } });
const packed = (type: string, id: number): Field => ({ type, id, rule: "repeated", options: { packed: true } });

/** Input of `protobuf.Root.fromJSON`. Field names are the camelCase forms that protobufjs uses. */
export const onnxSchema = {
  nested: {
    StringStringEntryProto: { fields: { key: one("string", 1), value: one("string", 2) } },
    OperatorSetIdProto: { fields: { domain: one("string", 1), version: one("int64", 2) } },
    AttributeProto: {
      fields: {
        name: one("string", 1),
        refAttrName: one("string", 21),
        type: one("int32", 20),
        f: one("float", 2),
        i: one("int64", 3),
        s: one("bytes", 4),
        t: one("TensorProto", 5),
        g: one("GraphProto", 6),
        floats: many("float", 7),
        ints: many("int64", 8),
        strings: many("bytes", 9),
      },
    },
    ValueInfoProto: {
      fields: {
        name: one("string", 1),
        type: one("TypeProto", 2),
        metadataProps: many("StringStringEntryProto", 4),
      },
    },
    NodeProto: {
      fields: {
        input: many("string", 1),
        output: many("string", 2),
        name: one("string", 3),
        opType: one("string", 4),
        domain: one("string", 7),
        attribute: many("AttributeProto", 5),
      },
    },
    ModelProto: {
      fields: {
        irVersion: one("int64", 1),
        opsetImport: many("OperatorSetIdProto", 8),
        producerName: one("string", 2),
        graph: one("GraphProto", 7),
        metadataProps: many("StringStringEntryProto", 14),
        functions: many("FunctionProto", 25),
      },
    },
    FunctionProto: { fields: { node: many("NodeProto", 7) } },
    GraphProto: {
      fields: {
        node: many("NodeProto", 1),
        name: one("string", 2),
        initializer: many("TensorProto", 5),
        sparseInitializer: many("bytes", 15),
        input: many("ValueInfoProto", 11),
        output: many("ValueInfoProto", 12),
        valueInfo: many("ValueInfoProto", 13),
      },
    },
    TensorProto: {
      fields: {
        dims: many("int64", 1),
        dataType: one("int32", 2),
        floatData: packed("float", 4),
        int32Data: packed("int32", 5),
        stringData: many("bytes", 6),
        int64Data: packed("int64", 7),
        name: one("string", 8),
        rawData: one("bytes", 9),
        doubleData: packed("double", 10),
        uint64Data: packed("uint64", 11),
        externalData: many("StringStringEntryProto", 13),
        dataLocation: one("int32", 14),
      },
    },
    TensorShapeProto: {
      fields: { dim: many("Dimension", 1) },
      nested: {
        Dimension: {
          oneofs: { value: { oneof: ["dimValue", "dimParam"] } },
          fields: { dimValue: one("int64", 1), dimParam: one("string", 2) },
        },
      },
    },
    TypeProto: {
      fields: { tensorType: one("Tensor", 1) },
      nested: { Tensor: { fields: { elemType: one("int32", 1), shape: one("TensorShapeProto", 2) } } },
    },
  },
};
