import { encode } from "./codec.js";
import { fromWire, WardroomError } from "./errors.js";

/** How often one publish is sent before it is given up. */
const MAX_SENDS = 5;
const TOO_BIG = 1009;

/**
 * The requests that have no reply yet, in the order in which they were made,
 * sent or not. A request keeps its ref for life, so it is encoded once however
 * often it is sent.
 */
export class Outbox {
  #pending = new Map(); // ref → request
  #bytes = 0;
  #ref = 0;
  #limits;

  constructor(limits) {
    this.#limits = limits;
  }

  /**
   * Adds a request. `retry`: safe to send again on the next connection.
   * `patient`: its deadline runs only while it is with the server. `send`:
   * sends it now, whatever the limits; such a request never waits.
   */
  add(fields, { payload, retry = false, patient = false, send } = {}) {
    return new Promise((resolve, reject) => {
      const ref = ++this.#ref;
      const frame = encode({ ...fields, ref }, payload);
      const { requests, bytes } = this.#limits;
      if (!send && (this.#pending.size >= requests || this.#bytes + frame.length > bytes)) {
        throw new WardroomError("outbox_full", "Too much is waiting to be sent.");
      }
      const request = { ref, frame, room: fields.room, retry, patient, resolve, reject, sends: 0, sent: false, timer: undefined };
      this.#pending.set(ref, request);
      this.#bytes += frame.length;
      if (!patient) this.#startDeadline(request);
      if (send) this.#send(request, send);
    });
  }

  /** Sends what is not sent yet and whose room is ready. */
  flush(send, isReady) {
    for (const request of this.#pending.values()) {
      if (!request.sent && isReady(request.room)) this.#send(request, send);
    }
  }

  settle({ ref, ok, data, error }) {
    const request = this.#pending.get(ref);
    if (!request) return;
    this.#remove(request);
    if (ok) request.resolve(data);
    else request.reject(fromWire(error));
  }

  /** The connection is gone: keeps what may be sent again, rejects the rest. */
  disconnected(error) {
    const lost = [...this.#pending.values()].filter((request) => request.sent);
    if (error.closeCode === TOO_BIG && lost.length > 0) {
      // Sent again, the frame that broke the limit would break it again.
      const largest = lost.reduce((a, b) => (b.frame.length > a.frame.length ? b : a));
      this.#fail(largest, new WardroomError("too_large", "The message is larger than the server accepts.", { closeCode: TOO_BIG }));
    }
    for (const request of lost) {
      if (!this.#pending.has(request.ref)) continue;
      if (!request.retry || request.sends >= MAX_SENDS) {
        this.#fail(request, error);
        continue;
      }
      request.sent = false;
      if (request.patient) clearTimeout(request.timer);
    }
  }

  /** Rejects everything. */
  fail(error) {
    for (const request of [...this.#pending.values()]) this.#fail(request, error);
  }

  /** Rejects what waits for a room; what the server has, it will answer. */
  failWaiting(room, error) {
    for (const request of [...this.#pending.values()]) {
      if (request.room === room && !request.sent) this.#fail(request, error);
    }
  }

  #send(request, send) {
    request.sent = true;
    request.sends++;
    if (request.patient) this.#startDeadline(request);
    send(request.frame);
  }

  #startDeadline(request) {
    request.timer = setTimeout(
      () => this.#fail(request, new WardroomError("timeout", "The server did not answer in time.")),
      this.#limits.timeout,
    );
  }

  #fail(request, error) {
    this.#remove(request);
    request.reject(error);
  }

  #remove(request) {
    clearTimeout(request.timer);
    this.#pending.delete(request.ref);
    this.#bytes -= request.frame.length;
  }
}
