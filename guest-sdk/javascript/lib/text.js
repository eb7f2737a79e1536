// For plugins whose messages are no JSON.

import { badMessage } from "./errors.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";
import { bytes } from "./values.js";

export function encodeText(text) {
  return encodeUtf8(String(text));
}

/** Bytes that are not UTF-8 are a failure `bad-message`. */
export function decodeText(body) {
  try {
    return decodeUtf8(bytes(body, "the text"));
  } catch (error) {
    throw badMessage(`expected UTF-8: ${error.message}`);
  }
}
