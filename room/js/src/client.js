import { Backoff } from "./backoff.js";
import { Emitter } from "./emitter.js";
import { fromWire, WardroomError } from "./errors.js";
import { Link } from "./link.js";
import { Outbox } from "./outbox.js";
import { Seat } from "./seat.js";

/** How long a connection that the browser doubts may stay silent. */
const DOUBT_MS = 5_000;
/** How many rooms are rejoined at the same time after a reconnect. */
const PARALLEL_JOINS = 4;
/** Refusals of a rejoin that waiting can mend. */
const PASSING = new Set(["rate_limited", "unavailable", "timeout", "internal"]);
const TOKEN_EXPIRED = 4101;

/** A connection to a wardroom server that mends itself. */
export class Client {
  #options;
  #backoff;
  #events = new Emitter();
  #outbox;
  #seats = new Map(); // by room name
  #link = null;
  #state = "idle";
  #welcome = null;
  #connecting = null; // the promise of connect() with its resolve and reject
  #next; // the next attempt to connect: {at, why, error, announced, timer}
  #presence = null; // to restore after a reconnect

  /**
   * @param {string | URL} url where the server is: `wss:`, `https:` or
   *   relative to the page
   * @param {object} [options] see ClientOptions in wardroom.d.ts
   */
  constructor(url, options = {}) {
    const address = new URL(url, globalThis.location?.href);
    address.protocol = address.protocol.replace(/^http/, "ws");
    address.hash = "";
    this.#options = {
      token: options.token,
      tokenVia: options.tokenVia ?? "subprotocol",
      connectTimeout: options.connectTimeout ?? 15_000,
      pingTimeout: options.pingTimeout ?? 10_000,
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      url: address.href,
    };
    if (!["subprotocol", "query", "frame", "cookie"].includes(this.#options.tokenVia)) {
      throw new TypeError('tokenVia must be "subprotocol", "query", "frame" or "cookie"');
    }
    if (!this.#options.WebSocket) throw new TypeError("there is no WebSocket here: pass one as options.WebSocket");
    this.#backoff = new Backoff(options.reconnect === false ? { maxAttempts: 0 } : (options.reconnect ?? {}));
    this.#outbox = new Outbox({
      requests: options.maxPending ?? 256,
      bytes: options.maxPendingBytes ?? 16 * 1024 * 1024,
      timeout: options.requestTimeout ?? 15_000,
    });
  }

  /** `idle`, `connecting`, `online`, `reconnecting`, `offline` or `closed`. */
  get state() {
    return this.#state;
  }

  /** The server's last welcome, or null. */
  get welcome() {
    return this.#welcome;
  }

  /** The user ID that the server knows this client by, or null. */
  get user() {
    return this.#welcome?.user ?? null;
  }

  /** The rooms by name. The Map is a copy. */
  get rooms() {
    return new Map([...this.#seats].filter(([, seat]) => seat.entered).map(([name, seat]) => [name, seat.room]));
  }

  /** Calls `listener` on each `event`; returns a function that stops it. */
  on(event, listener) {
    return this.#events.on(event, listener);
  }

  off(event, listener) {
    this.#events.off(event, listener);
  }

  /**
   * Connects, and stays connected from then on. Resolves with the welcome;
   * rejects only when trying on is pointless: `close()` was called, nobody is
   * signed in, or the server told this client to stay away. While the client
   * waits for its next attempt, this ends the wait, unless the server named the delay.
   */
  connect() {
    if (this.#state === "online") return Promise.resolve(this.#welcome);
    if (this.#next) this.#hurry();
    if (this.#connecting) return this.#connecting.promise;
    const connecting = (this.#connecting = {});
    connecting.promise = new Promise((resolve, reject) => Object.assign(connecting, { resolve, reject }));
    if (this.#state === "idle" || this.#state === "closed") {
      this.#backoff.reset();
      this.#welcome = null;
      this.#listen(true);
      this.#open({ fresh: false, reason: "connect" });
    }
    return connecting.promise;
  }

  /** Ends the connection for good and leaves all rooms. */
  close() {
    const error = new WardroomError("closed", "The client was closed.");
    for (const seat of [...this.#seats.values()]) this.#forget(seat, error);
    this.#stop(error);
  }

  /**
   * Joins a room, with the newest `last` messages in `room.messages`. Waits
   * for the connection as long as that takes. Joining a room twice gives the
   * same Room.
   */
  join(name, { last } = {}) {
    const known = this.#seats.get(name);
    if (known) return known.joined;
    const stopped = this.#stopped();
    if (stopped) return Promise.reject(stopped);
    const seat = new Seat(name, last, {
      request: (seat, fields, options) => this.#request(fields, options, seat),
      forget: (seat, error) => this.#forget(seat, error),
      leave: (seat, error) => this.#leave(seat, error),
      user: () => this.user,
    });
    this.#seats.set(name, seat);
    if (this.#link?.online) this.#enter(seat, this.#link);
    return seat.joined;
  }

  /** Calls the host's handler for `event`. */
  call(event, data) {
    return this.#request({ type: "call", event, data });
  }

  /** Creates a room; the one who creates it owns it. Does not join it. */
  create(room, settings) {
    return this.#request({ ...settings, type: "create", room });
  }

  update(room, settings) {
    return this.#request({ ...settings, type: "update", room });
  }

  settings(room) {
    return this.#request({ type: "settings", room }, { retry: true });
  }

  delete(room) {
    return this.#request({ type: "delete", room });
  }

  /** This user's presence in all rooms; restored after a reconnect. */
  async presence(status, meta) {
    const result = await this.#request({ type: "presence", status, meta });
    this.#presence = { status, meta };
    return result;
  }

  /** The time at the server, and a proof that it is there. */
  ping() {
    return this.#request({ type: "ping" }, { retry: true });
  }

  /** Any request of the protocol, for what has no method of its own. */
  request(type, fields) {
    return this.#request({ ...fields, type });
  }

  #stopped() {
    if (this.#state === "idle") return new WardroomError("disconnected", "Call connect() first.");
    if (this.#state === "closed") return new WardroomError("closed", "The client is closed.");
    return null;
  }

  #request(fields, options, seat) {
    let refused = this.#stopped();
    if (!refused && seat && !this.#holds(seat)) {
      refused = new WardroomError("not_member", "You are no longer in this room.");
    }
    if (refused) return Promise.reject(refused);
    const reply = this.#outbox.add(fields, options);
    this.#flush();
    return reply;
  }

  #holds(seat) {
    return this.#seats.get(seat.name) === seat;
  }

  // flush sends what waits, and keeps waiting what is for a room not joined yet.
  #flush() {
    const link = this.#link;
    if (!link?.online) return;
    this.#outbox.flush(
      (frame) => link.send(frame),
      (room) => this.#seats.get(room)?.ready ?? true,
    );
  }

  /** Makes a request at once, past the queue. */
  #ask(fields, link = this.#link) {
    return this.#outbox.add(fields, { send: (frame) => link.send(frame) });
  }

  // ---- connecting

  #open(why) {
    this.#next = undefined;
    const link = new Link(this.#options, {
      frame: (frame) => this.#receive(frame),
      welcome: (frame) => this.#online(link, frame),
      bad: (error) => this.#events.emit("error", error),
      lost: (error, fatal) => this.#lost(link, error, fatal),
      ask: (fields) => this.#ask(fields, link),
    });
    this.#link = link;
    this.#setState(this.#awaiting);
    if (this.#link === link) link.open(why); // no listener closed the client
  }

  #online(link, welcome) {
    this.#welcome = welcome;
    this.#setState("online");
    this.#events.emit("welcome", welcome);
    this.#connecting?.resolve(welcome);
    this.#connecting = null;
    if (this.#link !== link) return;
    // Before the rooms: who is invisible must not flash up in them.
    if (this.#presence) this.#ask({ type: "presence", ...this.#presence }).catch(() => {});
    const waiting = [...this.#seats.values()];
    const worker = async () => {
      while (waiting.length > 0) await this.#enter(waiting.shift(), link);
    };
    for (let i = 0; i < PARALLEL_JOINS; i++) worker();
    this.#flush();
  }

  #lost(link, error, fatal) {
    this.#link = null;
    this.#backoff.ended(link.onlineSince);
    for (const seat of this.#seats.values()) seat.pause();
    this.#outbox.disconnected(error);
    if (error.cause) this.#events.emit("error", error);
    if (this.#state === "closed") return;
    if (fatal || this.#backoff.exhausted) return this.#stop(error);

    // A page cannot tell a refused handshake from a broken network: the token
    // may be to blame.
    const fresh = error.closeCode === TOKEN_EXPIRED || link.onlineSince === 0;
    const why = { fresh, reason: this.#welcome ? "reconnect" : "connect" };
    const announced = this.#backoff.announced;
    this.#schedule(this.#backoff.delay(error.closeCode), { why, error, announced });
  }

  #schedule(delay, { why, error, announced }) {
    clearTimeout(this.#next?.timer);
    const timer = setTimeout(() => this.#open(why), delay);
    this.#next = { at: Date.now() + delay, why, error, announced, timer };
    this.#setState(globalThis.navigator?.onLine === false ? "offline" : this.#awaiting);
  }

  #stop(error) {
    clearTimeout(this.#next?.timer);
    this.#next = undefined;
    if (this.#state === "idle" || this.#state === "closed") return;
    this.#listen(false);
    const previous = this.#state;
    this.#state = "closed";
    this.#link?.close(error);
    this.#outbox.fail(error);
    for (const seat of [...this.#seats.values()]) if (!seat.entered) this.#forget(seat, error);
    this.#connecting?.reject(error);
    this.#connecting = null;
    this.#setState("closed", error, previous); // last: a listener may connect anew
  }

  get #awaiting() {
    return this.#welcome ? "reconnecting" : "connecting";
  }

  #setState(state, error = this.#next?.error, previous = this.#state) {
    this.#state = state;
    const { attempt } = this.#backoff;
    this.#events.emit("state", { state, previous, attempt, retryAt: this.#next?.at, error });
  }

  // ---- what the browser knows about the network

  #listen(on) {
    const change = on ? "addEventListener" : "removeEventListener";
    globalThis[change]?.("online", this.#hurry);
    globalThis[change]?.("offline", this.#doubt);
    globalThis.document?.[change]?.("visibilitychange", this.#seen);
  }

  // Somebody waits for the connection: no more back-off, unless the server
  // named the delay.
  #hurry = () => {
    if (this.#link) return this.#link.probe(DOUBT_MS);
    if (this.#next && !this.#next.announced) this.#schedule(0, this.#next);
  };

  // The browser's word alone is not enough to give up: on a machine without
  // network a server on localhost is still there.
  #doubt = () => {
    if (this.#link) this.#link.probe(DOUBT_MS);
    else if (this.#next) this.#setState("offline");
  };

  #seen = () => {
    if (globalThis.document.visibilityState === "visible") this.#hurry();
  };

  // ---- rooms

  // enter joins or rejoins a room. It ends when the user is in, or out, and
  // not at all when the connection is lost before that.
  async #enter(seat, link) {
    for (let attempt = 0; this.#link === link && this.#holds(seat); attempt++) {
      try {
        const reply = await this.#ask(seat.joinRequest());
        if (this.#link !== link || !this.#holds(seat)) return;
        seat.enter(reply);
        return this.#flush();
      } catch (error) {
        if (this.#link !== link) return;
        if (!seat.entered) return error.code === "timeout" ? this.#leave(seat, error) : this.#forget(seat, error);
        if (!PASSING.has(error.code)) return seat.refused(error);
        await link.sleep(Math.max(error.retryAfter, this.#backoff.jitter(attempt)));
      }
    }
  }

  async #leave(seat, error) {
    if (!this.#holds(seat)) return;
    this.#forget(seat, error);
    if (!this.#link?.online) return;
    try {
      await this.#ask({ type: "leave", room: seat.name });
    } catch {
      // Not a member, or not connected: either way out of the room.
    }
  }

  #forget(seat, error) {
    if (!this.#holds(seat)) return;
    this.#seats.delete(seat.name);
    this.#outbox.failWaiting(seat.name, error);
    seat.end(error);
  }

  // ---- frames

  #receive(frame) {
    switch (frame.type) {
      case "reply":
        return this.#outbox.settle(frame);
      case "error":
        return this.#events.emit("error", fromWire(frame.error));
      case "expiring":
        this.#events.emit("expiring", frame);
        return void this.#renew(this.#link, Date.now() + (frame.in_ms ?? 0));
      case "goaway":
        return this.#goaway(this.#link, frame);
    }
    if (frame.room === undefined) return this.#receiveDirect(frame);
    this.#seats.get(frame.room)?.receive(frame);
  }

  #receiveDirect(frame) {
    if (frame.type === "message") {
      const event = frame.event ?? "message";
      this.#events.emit(event === "message" ? "message" : `event:${event}`, frame);
    } else if (frame.type === "presence_update") {
      // Of a user in all rooms at once.
      this.#events.emit("presence", frame);
      for (const { room } of [...this.#seats.values()]) {
        if (room.members.has(frame.user)) this.#seats.get(room.name)?.receive({ ...frame, room: room.name });
      }
    }
  }

  async #renew(link, deadline) {
    const { token: source } = this.#options;
    if (typeof source !== "function") return; // closed with 4101, then asked again
    for (let attempt = 0; this.#link === link && Date.now() < deadline; attempt++) {
      try {
        const token = await source({ fresh: true, reason: "expiring" });
        if (!token || this.#link !== link) return;
        const session = await this.#ask({ type: "auth", token });
        this.#welcome = { ...this.#welcome, expires_at: session?.expires_at };
        return this.#events.emit("renewed", session);
      } catch (cause) {
        if (this.#link !== link) return;
        const known = cause instanceof WardroomError;
        this.#events.emit("error", known ? cause : new WardroomError("disconnected", "No token could be fetched.", { cause }));
        await link.sleep(this.#backoff.jitter(attempt + 1));
      }
    }
  }

  async #goaway(link, frame) {
    const delay = frame.reconnect_in_ms ?? 0;
    this.#backoff.announce(delay);
    this.#events.emit("goaway", frame);
    if (this.#link !== link) return;
    await link.sleep(delay); // unless the server closes first
    link.close(new WardroomError("disconnected", "The server is going away.", { closeCode: 4200 }));
  }
}
