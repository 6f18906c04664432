import { isStop } from "./backoff.js";

/**
 * Everything that this module rejects with. `code` is one of the protocol's
 * error codes, or one of the client's own: `disconnected`, `closed`,
 * `timeout`, `outbox_full`, `revoked`, `policy_violation`, `replaced`.
 */
export class WardroomError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{retryAfter?: number, id?: string, closeCode?: number, cause?: unknown}} [details]
   */
  constructor(code, message, { retryAfter = 0, id, closeCode, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "WardroomError";
    this.code = code;
    this.retryAfter = retryAfter;
    this.id = id;
    this.closeCode = closeCode;
  }
}

/** An error as the server sent it. */
export const fromWire = (error) =>
  new WardroomError(error?.code ?? "internal", error?.message ?? "The server gave no reason.", {
    retryAfter: error?.retry_after_ms ?? 0,
    id: error?.id,
  });

/** What the close codes mean that tell a client to stay away. */
const STOP_CODES = {
  4000: ["bad_request", "The server did not understand this client."],
  4001: ["unauthenticated", "The server did not accept the token."],
  4003: ["forbidden", "This user may not connect."],
  4004: ["revoked", "The session was ended by the server."],
  4008: ["policy_violation", "The server closed the connection after repeated abuse of its limits."],
  4009: ["replaced", "Another connection took the place of this one."],
};

/** What a close code means. */
export function fromClose(closeCode, reason) {
  if (!isStop(closeCode)) {
    return new WardroomError("disconnected", reason || "The connection was lost.", { closeCode });
  }
  const [code, message] = STOP_CODES[closeCode] ?? ["closed", "The server closed the connection for good."];
  return new WardroomError(code, reason || message, { closeCode });
}
