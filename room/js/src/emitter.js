/** Events with listeners that cannot harm each other. */
export class Emitter {
  /** @type {Map<string, Set<Function>>} */
  #listeners = new Map();

  on(event, listener) {
    if (typeof listener !== "function") throw new TypeError("listener must be a function");
    let listeners = this.#listeners.get(event);
    if (!listeners) this.#listeners.set(event, (listeners = new Set()));
    listeners.add(listener);
    return () => this.off(event, listener);
  }

  off(event, listener) {
    this.#listeners.get(event)?.delete(listener);
  }

  emit(event, detail) {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        listener(detail);
      } catch (error) {
        // A fault of the page must not stop the client or the next listener.
        (globalThis.reportError ?? console.error)(error);
      }
    }
  }
}
