/**
 * wardroom: the browser client for wardroom servers (protocol wardroom.v1).
 *
 *     import { Client } from "/js/wardroom.js";
 *
 *     const client = new Client("/ws", { token: () => fetchToken() });
 *     await client.connect();
 *     const room = await client.join("lobby", { last: 50 });
 *     room.on("message", (m) => show(m.from, m.data));
 *     await room.publish("Hello");
 *
 * Objects that come from the server keep the field names of the wire protocol
 * (docs/PROTOCOL.md). All times and delays are in milliseconds.
 *
 * @module wardroom
 * @license MIT
 */

// backoff

/** A connection that was online this long has earned a fresh back-off. */
const STABLE_MS = 5_000;

// The ranges of docs/PROTOCOL.md, "Close codes". Every other code, 1008 among
// them, means the same as 4100 to 4199: come back, but back off.
const within = (from, to) => (closeCode) => closeCode >= from && closeCode <= to;
const isStop = within(4000, 4099);
const isLater = within(4100, 4199);
const isAtOnce = within(4200, 4299);

/**
 * When to connect again: exponential back-off with full jitter (any delay from
 * 0 to a ceiling that doubles), unless the server named the time.
 */
class Backoff {
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

// errors

/**
 * Everything that this module rejects with. `code` is one of the protocol's
 * error codes, or one of the client's own: `disconnected`, `closed`,
 * `timeout`, `outbox_full`, `revoked`, `policy_violation`, `replaced`.
 */
class WardroomError extends Error {
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
const fromWire = (error) =>
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
function fromClose(closeCode, reason) {
  if (!isStop(closeCode)) {
    return new WardroomError("disconnected", reason || "The connection was lost.", { closeCode });
  }
  const [code, message] = STOP_CODES[closeCode] ?? ["closed", "The server closed the connection for good."];
  return new WardroomError(code, reason || message, { closeCode });
}

// emitter

/** Events with listeners that cannot harm each other. */
class Emitter {
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

// codec

/** The bytes of binary data, or null when data is to travel as JSON. */
function asBytes(data) {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return null;
}

/** One client frame: JSON text, or header length + JSON header + payload. */
function encode(envelope, payload) {
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
function decode(data) {
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
function withBytes({ encoding, ...message }) {
  if (encoding === "base64") message.data = Uint8Array.from(atob(message.data), (c) => c.charCodeAt(0));
  return message;
}

/** An idempotency key. crypto.randomUUID exists on https and localhost only. */
function uniqueID() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

// outbox

/** How often one publish is sent before it is given up. */
const MAX_SENDS = 5;
const TOO_BIG = 1009;

/**
 * The requests that have no reply yet, in the order in which they were made,
 * sent or not. A request keeps its ref for life, so it is encoded once however
 * often it is sent.
 */
class Outbox {
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

// link

const SUBPROTOCOL = "wardroom.v1.json";

/**
 * One connection, from asking for a token to its loss. It tells its owner
 * through `hooks`: `frame(envelope)`, `welcome(envelope)` once it is ready,
 * `bad(error)` for a frame that could not be read, and exactly once
 * `lost(error, fatal)`. `ask(fields)` makes a request over this connection.
 */
class Link {
  onlineSince = 0;
  #options;
  #hooks;
  #socket = null;
  #dead = false;
  #heard = 0; // when the last frame came
  #frames = 0;
  #probing = false;
  #timers = new Set();
  #connectTimer;

  constructor(options, hooks) {
    this.#options = options;
    this.#hooks = hooks;
  }

  get online() {
    return this.onlineSince > 0 && !this.#dead;
  }

  async open(why) {
    const { token: source, tokenVia, connectTimeout, url, WebSocket } = this.#options;
    this.#connectTimer = this.#later(connectTimeout, () =>
      this.#lose(new WardroomError("disconnected", "The server did not answer in time.")),
    );
    let token;
    if (source && tokenVia !== "cookie") {
      try {
        token = typeof source === "function" ? await source(why) : source;
      } catch (cause) {
        return this.#lose(new WardroomError("disconnected", "No token could be fetched.", { cause }));
      }
      if (this.#dead) return;
      if (!token) return this.#lose(new WardroomError("unauthenticated", "Nobody is signed in."), true);
    }

    const address = new URL(url);
    const protocols = [SUBPROTOCOL];
    if (token && tokenVia === "query") address.searchParams.set("token", token);
    if (token && tokenVia === "subprotocol") protocols.push("bearer." + token);
    let socket;
    try {
      socket = this.#socket = new WebSocket(address.href, protocols);
    } catch (cause) {
      // The browser refuses the address or, as a subprotocol, the token.
      return this.#lose(new WardroomError("bad_request", "The browser refused to connect.", { cause }), true);
    }

    // Ready means welcomed, and with a token in the first frame also let in.
    let welcome = null;
    let admitted = tokenVia !== "frame" || !token;
    let refusal = null;
    const ready = () => {
      if (!welcome || !admitted || this.#dead) return;
      this.#cancel(this.#connectTimer);
      this.onlineSince = Date.now();
      this.#watch(2 * (welcome.heartbeat_ms || 25_000));
      this.#hooks.welcome(welcome);
    };
    socket.binaryType = "arraybuffer";
    socket.onerror = () => {}; // the close event that follows says as much
    socket.onopen = async () => {
      if (admitted) return;
      try {
        await this.#hooks.ask({ type: "auth", token });
        admitted = true;
        ready();
      } catch (error) {
        refusal = error; // the close code that follows says what to do
      }
    };
    socket.onmessage = ({ data }) => {
      this.#heard = Date.now();
      this.#frames++;
      let frame;
      try {
        frame = decode(data);
      } catch (cause) {
        return this.#hooks.bad(new WardroomError("bad_request", "The server sent an unreadable frame.", { cause }));
      }
      if (frame.type !== "welcome" || welcome) return this.#hooks.frame(frame);
      welcome = frame;
      ready();
    };
    socket.onclose = ({ code, reason }) => {
      const error = fromClose(code, reason);
      if (refusal) error.cause = refusal;
      this.#lose(error);
    };
  }

  send(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(frame);
  }

  /** Waits; never returns when the connection is lost meanwhile. */
  sleep(ms) {
    return new Promise((resolve) => this.#later(ms, resolve));
  }

  /** Gives the connection up as lost if it stays silent for `wait`. */
  probe(wait) {
    if (this.#probing || !this.online) return;
    this.#probing = true;
    const frames = this.#frames;
    this.#hooks.ask({ type: "ping" }).catch(() => {}); // any frame is proof enough
    this.#later(wait, () => {
      this.#probing = false;
      if (this.#frames === frames) this.#lose(new WardroomError("disconnected", "The server fell silent."));
    });
  }

  /** Ends the connection from this side; `lost` is called before it returns. */
  close(error) {
    this.#lose(error, false);
  }

  // The server's own pings never reach a page, so silence is measured here.
  #watch(idle) {
    this.#later(Math.max(0, this.#heard + idle - Date.now()), () => {
      const silent = Date.now() - this.#heard >= idle;
      if (silent) this.probe(this.#options.pingTimeout);
      if (silent) this.#later(this.#options.pingTimeout, () => this.#watch(idle));
      else this.#watch(idle);
    });
  }

  #later(ms, fn) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  #cancel(timer) {
    clearTimeout(timer);
    this.#timers.delete(timer);
  }

  #lose(error, fatal = isStop(error.closeCode)) {
    if (this.#dead) return;
    this.#dead = true;
    for (const timer of this.#timers) clearTimeout(timer);
    const socket = this.#socket;
    if (socket) {
      // A dead network can hold back the close event for minutes.
      socket.onopen = socket.onmessage = socket.onclose = null;
      if (socket.readyState <= 1) socket.close(1000);
    }
    this.#hooks.lost(error, fatal);
  }
}

// room

/**
 * A room that this client is in. It stays a member over reconnects, until
 * `leave()` or the event `removed` or `deleted`.
 *
 * Published messages arrive as `message`, or as `event:NAME` when they were
 * published with an event of their own; no message that a user sends can pass
 * for one of the room's own events.
 */
class Room {
  #name;
  #events = new Emitter();
  #seat;
  #joined = false;
  #entered = false; // ever joined
  #members = new Map();
  #membersNext;
  #messages = [];
  #permission;
  #position = null; // the last message seen: {epoch, offset}
  #unheard = new Map(); // offset → idempotency key of own messages that the server does not echo
  #silent = new Set(); // idempotency keys of those still under way
  #status = null; // the presence to restore after a reconnect

  /** Rooms are made by `client.join`. */
  constructor(name, seat) {
    this.#name = name;
    this.#seat = seat;
    seat.attach({
      position: () => this.#position,
      enter: (reply, early) => this.#enter(reply, early),
      receive: (frame) => this.#receive(frame),
      pause: () => (this.#joined = false),
    });
  }

  get name() {
    return this.#name;
  }

  /** Whether the room is joined on the present connection. */
  get joined() {
    return this.#joined;
  }

  /** `public`, `private`, `restricted` or `owner_only`. */
  get permission() {
    return this.#permission;
  }

  /** The members by user ID, kept up to date. Not to be changed. */
  get members() {
    return this.#members;
  }

  /** The cursor for `fetchMembers` while `members` is not complete. */
  get membersNext() {
    return this.#membersNext;
  }

  /** The messages that the join brought (`last`), oldest first. */
  get messages() {
    return this.#messages;
  }

  /** The place of the last message seen, or null without history. */
  get position() {
    return this.#position && { ...this.#position };
  }

  /** Calls `listener` on each `event`; returns a function that stops it. */
  on(event, listener) {
    return this.#events.on(event, listener);
  }

  off(event, listener) {
    this.#events.off(event, listener);
  }

  /**
   * Publishes `data`: any JSON value, or bytes. In a room with history the
   * promise resolves when the message is stored, and a publish that a broken
   * connection cut off is sent again, never stored twice. Without history, or
   * with `store: false`, it is sent at most once.
   */
  async publish(data, { event, store, echo, id } = {}) {
    const payload = asBytes(data);
    const ephemeral = store === false;
    const retry = !ephemeral && this.#position !== null; // only a log recognises a message sent twice
    if (ephemeral && !this.#joined) throw new WardroomError("disconnected", "The room is not connected right now.");
    if (retry) id ??= uniqueID();
    const unheard = echo === false && id !== undefined;
    if (unheard) this.#silent.add(id);
    try {
      const fields = {
        type: "message",
        room: this.#name,
        event,
        id,
        store: ephemeral ? false : undefined,
        echo: echo === false ? false : undefined,
        data: payload ? undefined : (data ?? null),
      };
      const result = (await this.#seat.request(fields, { payload, retry, patient: retry })) ?? {};
      if (echo === false && result.offset) this.#hear(result, id);
      return { ...result, id };
    } finally {
      if (unheard) this.#silent.delete(id);
    }
  }

  /** Replaces the data of the message at offset `target`. */
  edit(target, data) {
    return this.#request("edit", { target, data });
  }

  /** Takes the data of the message at offset `target` away for everyone. */
  redact(target, { reason } = {}) {
    return this.#request("redact", { target, reason });
  }

  /** Calls the host's handler for `event` in this room. */
  call(event, data) {
    return this.#request("call", { event, data });
  }

  /** Older (`before`) or newer (`after`) messages than an offset, oldest first. */
  async history({ before, after, limit } = {}) {
    const page = await this.#request("history", { before, after, limit }, { retry: true });
    return { ...page, messages: this.#fromLog(page.messages) };
  }

  /** One page of members, which is also merged into `members`. */
  async fetchMembers({ after, limit } = {}) {
    const page = await this.#request("members", { after, limit }, { retry: true });
    for (const member of page.members) this.#members.set(member.user, member);
    if (after !== undefined && after === this.#membersNext) this.#membersNext = page.next;
    this.#events.emit("members", this.#members);
    return page;
  }

  /** This user's presence in this room; restored after a reconnect. */
  async presence(status, meta) {
    const result = await this.#request("presence", { status, meta });
    this.#status = { status, meta };
    return result;
  }

  settings() {
    return this.#request("settings", {}, { retry: true });
  }

  update(settings) {
    return this.#request("update", settings);
  }

  delete() {
    return this.#request("delete");
  }

  invite(user, options) {
    return this.#request("invite", { ...options, user });
  }

  uninvite(user, options) {
    return this.#request("uninvite", { ...options, user });
  }

  kick(user, options) {
    return this.#request("kick", { ...options, user });
  }

  ban(user, options) {
    return this.#request("ban", { ...options, user });
  }

  unban(user, options) {
    return this.#request("unban", { ...options, user });
  }

  mute(user, options) {
    return this.#request("mute", { ...options, user });
  }

  unmute(user, options) {
    return this.#request("unmute", { ...options, user });
  }

  /** Leaves the room, at once on this side, whatever the connection does. */
  leave() {
    return this.#seat.leave(new WardroomError("not_member", "You left this room."));
  }

  #request(type, fields, options) {
    return this.#seat.request({ ...fields, type, room: this.#name }, options);
  }

  // fromLog gives the messages of a reply the form of live ones.
  #fromLog(messages = []) {
    return messages.map((message) => ({ room: this.#name, ...withBytes(message) }));
  }

  // enter takes in the reply to a join. `early` are the frames that
  // overtook it.
  #enter(reply, early) {
    const again = this.#entered;
    const before = this.#position;
    this.#joined = this.#entered = true;
    this.#permission = reply.permission;
    this.#members.clear();
    for (const member of reply.members ?? []) this.#members.set(member.user, member);
    this.#membersNext = reply.next;
    const messages = this.#fromLog(reply.messages);

    if (again) {
      this.#recover(before, reply, messages);
      for (const frame of early) this.#receive(frame);
      if (this.#status) this.#request("presence", this.#status).catch(() => {});
      this.#events.emit("members", this.#members);
      return;
    }
    this.#reach(reply);
    this.#messages = messages;
    for (const frame of early) {
      if (frame.type !== "message") this.#receive(frame);
      else if (this.#advance(frame)) this.#messages.push(frame); // nobody listens yet
    }
  }

  #recover(before, reply, messages) {
    const recovered = before !== null && reply.recovered === true;
    if (before?.epoch !== reply.epoch) {
      // An epoch that goes on from ours has what we have seen. What we published beyond may be lost.
      this.#position = recovered ? { epoch: reply.epoch, offset: before.offset } : null;
      for (const [offset, id] of this.#unheard) {
        const there = recovered && messages.some((m) => m.offset === offset && m.id === id && m.from === this.#seat.user);
        if (!there) this.#unheard.delete(offset);
      }
    }
    if (!recovered) this.#events.emit("gap", { since: before && { ...before }, epoch: reply.epoch, offset: reply.offset });
    let count = 0;
    for (const message of messages) {
      if (this.#take({ ...message, replayed: true })) count++;
    }
    this.#reach(reply);
    if (recovered) this.#events.emit("recovered", { count });
  }

  #receive(frame) {
    const { user, name, at } = frame;
    switch (frame.type) {
      case "message":
      case "message_edited":
      case "message_redacted":
        this.#take(frame);
        break;
      case "user_joined":
        this.#members.set(user, { user, name, status: "online", since: at, connections: 1, ...this.#members.get(user) });
        this.#events.emit("joined", frame);
        this.#events.emit("members", this.#members);
        break;
      case "user_left":
        this.#members.delete(user);
        this.#events.emit("left", frame);
        this.#events.emit("members", this.#members);
        break;
      case "presence_update":
        if (this.#members.has(user)) {
          const { status, meta } = frame;
          this.#members.set(user, { ...this.#members.get(user), status, meta });
        }
        this.#events.emit("presence", frame);
        this.#events.emit("members", this.#members);
        break;
      case "room_updated":
        this.#permission = frame.permission ?? this.#permission;
        this.#events.emit("updated", frame);
        break;
      case "room_deleted":
        this.#remove("deleted", { ...frame, code: "forbidden" });
        break;
      case "removed":
        this.#remove("removed", frame);
        break;
    }
  }

  // take emits what is said in the room unless it was seen before.
  #take(entry) {
    const moved = this.#position && entry.epoch && entry.epoch !== this.#position.epoch;
    if (moved) this.#events.emit("gap", { since: this.position, epoch: entry.epoch, offset: entry.offset });
    if (!this.#advance(entry)) return false;
    if (entry.target !== undefined) {
      const redacted = entry.type === "message_redacted" || entry.redacted === true;
      this.#events.emit(redacted ? "redacted" : "edited", entry);
    } else if (!(this.#silent.has(entry.id) && entry.from === this.#seat.user)) {
      const event = entry.event ?? "message";
      this.#events.emit(event === "message" ? "message" : `event:${event}`, entry);
    }
    return true;
  }

  // advance moves the position to an entry of the log; false: seen before.
  #advance({ epoch, offset }) {
    if (!offset) return true; // ephemeral, or a room without history
    const at = this.#position;
    if (at?.epoch === epoch && offset <= at.offset) return false;
    this.#position = { epoch, offset };
    for (const own of [...this.#unheard.keys()].sort((a, b) => a - b)) {
      if (own > this.#position.offset + 1) break;
      this.#position.offset = Math.max(own, this.#position.offset);
      this.#unheard.delete(own);
    }
    return true;
  }

  // hear counts an own message that is not echoed as seen, once everything
  // before it was.
  #hear({ epoch, offset }, id) {
    const at = this.#position;
    if (at?.epoch !== epoch || offset <= at.offset) return;
    if (offset === at.offset + 1) this.#advance({ epoch, offset });
    else this.#unheard.set(offset, id);
  }

  #reach({ epoch, offset = 0 }) {
    if (!epoch) this.#position = null;
    else if (this.#position?.epoch !== epoch) this.#position = { epoch, offset };
    else if (offset > this.#position.offset) this.#advance({ epoch, offset });
  }

  #remove(event, detail) {
    this.#seat.forget(new WardroomError("not_member", "You are no longer in this room."));
    this.#events.emit(event, detail);
  }
}

// seat

/** The client's end of a Room: what is asked and heard for it, and when. */
class Seat {
  name;
  room;
  joined; // the promise of the first join
  entered = false; // joined at least once
  ready = false; // joined on this connection: requests may be sent
  #last;
  #hooks;
  #inside; // what the Room lets nobody else do
  #listening = false; // frames may be handed to the Room
  #early = []; // frames that came before that
  #settle;

  /**
   * `hooks`: `request(seat, fields, options)`, `user()`, `forget(seat, error)`
   * and `leave(seat, error)`.
   */
  constructor(name, last, hooks) {
    this.name = name;
    this.#last = last;
    this.#hooks = hooks;
    this.joined = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.room = new Room(name, this);
  }

  // ---- for the Room

  attach(inside) {
    this.#inside = inside;
  }

  get user() {
    return this.#hooks.user();
  }

  request(fields, options) {
    return this.#hooks.request(this, fields, options);
  }

  forget(error) {
    this.#hooks.forget(this, error);
  }

  leave(error) {
    return this.#hooks.leave(this, error);
  }

  // ---- for the Client

  /** The join request to make now. */
  joinRequest() {
    const since = this.#inside.position() ?? undefined;
    return { type: "join", room: this.name, since, last: this.entered ? undefined : this.#last };
  }

  /** Takes in the reply to it. */
  enter(reply) {
    const again = this.entered;
    this.entered = this.ready = true;
    this.#listening = again;
    this.#inside.enter(reply, this.#early.splice(0));
    this.#settle.resolve(this.room);
    if (!again) this.#listenSoon();
  }

  receive(frame) {
    if (this.#listening) this.#inside.receive(frame);
    else this.#early.push(frame);
  }

  /** The connection is gone. What was not handed over will be replayed. */
  pause() {
    this.ready = this.#listening = false;
    this.#early = [];
    this.#inside.pause();
  }

  /** The membership is gone: by leaving, by removal, or by a refused join. */
  end(error) {
    this.pause();
    this.#settle.reject(error); // means nothing once joined
  }

  /** A rejoin was refused. */
  refused({ code, message }) {
    this.#inside.receive({ type: "removed", room: this.name, code, reason: message });
  }

  // Outside of browsers one read can bring the join reply and the first
  // messages, before the page that awaits the join could add a listener.
  async #listenSoon() {
    const early = this.#early;
    for (let turn = 0; turn < 10; turn++) await null;
    if (this.#early !== early) return; // paused meanwhile
    this.#listening = true;
    while (early.length > 0 && this.#listening) this.#inside.receive(early.shift());
  }
}

// client

/** How long a connection that the browser doubts may stay silent. */
const DOUBT_MS = 5_000;
/** How many rooms are rejoined at the same time after a reconnect. */
const PARALLEL_JOINS = 4;
/** Refusals of a rejoin that waiting can mend. */
const PASSING = new Set(["rate_limited", "unavailable", "timeout", "internal"]);
const TOKEN_EXPIRED = 4101;

/** A connection to a wardroom server that mends itself. */
class Client {
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

export { Client, Room, WardroomError };
