/** A connection that was online this long has earned a fresh back-off. */
const STABLE_MS = 5_000;

// The ranges of docs/PROTOCOL.md, "Close codes". Every other code, 1008 among
// them, means the same as 4100 to 4199: come back, but back off.
const within = (from, to) => (closeCode) => closeCode >= from && closeCode <= to;
export const isStop = within(4000, 4099);
const isLater = within(4100, 4199);
const isAtOnce = within(4200, 4299);

/**
 * When to connect again: exponential back-off with full jitter (any delay from
 * 0 to a ceiling that doubles), unless the server named the time.
 */
export class Backoff {
  attempt = 0; // failures in a row
  #base;
  #cap;
  #max;
  #resumeAt = 0; // the time that a goaway named
  #rushedAt = 0; // when a close code was last obeyed at once

  constructor({ base = 500, cap = 30_000, maxAttempts = Infinity }) {
    this.#base = base;
    this.#cap = cap;
    this.#max = maxAttempts;
  }

  get exhausted() {
    return this.attempt >= this.#max;
  }

  /** Whether the server named the time, which nobody may shorten. */
  get announced() {
    return this.#resumeAt > 0;
  }

  reset() {
    this.attempt = this.#resumeAt = this.#rushedAt = 0;
  }

  /** The server asked to wait this long. */
  announce(delay) {
    this.#resumeAt = Date.now() + delay;
  }

  /** A connection ended that was online since then (0: never). */
  ended(onlineSince) {
    if (onlineSince > 0 && Date.now() - onlineSince >= STABLE_MS) this.attempt = 0;
  }

  /** The delay after a connection that ended with closeCode. */
  delay(closeCode) {
    const now = Date.now();
    const announced = this.#resumeAt;
    this.#resumeAt = 0;
    if (announced > 0 && !isLater(closeCode)) return Math.max(0, announced - now);
    // A server that says "at once" over and over gets no tight loop.
    if (isAtOnce(closeCode) && now - this.#rushedAt >= STABLE_MS) {
      this.#rushedAt = now;
      return 0;
    }
    return Math.max(announced - now, this.jitter(this.attempt++));
  }

  jitter(attempt) {
    return Math.random() * Math.min(this.#cap, this.#base * 2 ** attempt);
  }
}
