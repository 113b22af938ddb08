// Package otlpjson turns OTLP's protobuf into OTLP's JSON, byte by byte.
//
// In go the bytes of a message; out comes one JSON object, without a line break. The
// mapping is protobuf's, but for what OTLP changes: trace and span ids are hexadecimal,
// enums are numbers, names are in camel case.
//
// The rules of this room:
//
//   - Pure: no goroutine, no I/O.
//   - The names and types of all fields come from OTLP's own descriptors, read once by
//     New. No message is built: encoding costs no allocation and no reflection.
//   - A field that occurs twice although it is not repeated is written twice. No
//     encoder of OTLP does that.
package otlpjson
