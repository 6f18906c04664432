import { WardroomError } from "./errors.js";

/** The bytes of binary data, or null when data is to travel as JSON. */
export function asBytes(data) {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return null;
}

/** One client frame: JSON text, or header length + JSON header + payload. */
export function encode(envelope, payload) {
  const text = JSON.stringify(envelope);
  if (!payload) return text;
  const header = new TextEncoder().encode(text);
  if (header.length > 0xffff) throw new WardroomError("too_large", "The envelope of a binary message is too large.");
  const frame = new Uint8Array(2 + header.length + payload.length);
  new DataView(frame.buffer).setUint16(0, header.length);
  frame.set(header, 2);
  frame.set(payload, 2 + header.length);
  return frame;
}

/** The envelope in one server frame; throws when it is none. */
export function decode(data) {
  const text = typeof data === "string";
  const size = text ? 0 : new DataView(data).getUint16(0);
  const envelope = JSON.parse(text ? data : new TextDecoder().decode(new Uint8Array(data, 2, size)));
  if (typeof envelope?.type !== "string") throw new TypeError("not an envelope");
  return text ? withBytes(envelope) : { ...envelope, data: new Uint8Array(data, 2 + size) };
}

/**
 * A message with its bytes, which came as text: that is so in replies, and
 * when a header is too large for a binary frame.
 */
export function withBytes({ encoding, ...message }) {
  if (encoding === "base64") message.data = Uint8Array.from(atob(message.data), (c) => c.charCodeAt(0));
  return message;
}

/** An idempotency key. crypto.randomUUID exists on https and localhost only. */
export function uniqueID() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
