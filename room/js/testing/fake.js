// An in-process stand-in for the browser's WebSocket and a wardroom server.
// Nothing here uses the network or real time.
import { Client } from "../wardroom.js";

/** Lets everything that is due happen, timers apart. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Joins a room, and waits as a browser does between two frames. */
export async function enter(client, name, options) {
  const room = await client.join(name, options);
  await settle();
  return room;
}

/** Replaces setTimeout, clearTimeout and Date.now by a clock that `pass` moves. */
export class Clock {
  #real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, now: Date.now };
  #timers = new Map(); // id → {due, fn}
  #now = 1_700_000_000_000;
  #id = 0;

  constructor() {
    globalThis.setTimeout = (fn, ms = 0) => {
      this.#timers.set(++this.#id, { due: this.#now + Math.max(0, ms), fn });
      return this.#id;
    };
    globalThis.clearTimeout = (id) => this.#timers.delete(id);
    Date.now = () => this.#now;
  }

  /** Lets `ms` pass: timers fire in order, and promises keep up. */
  async pass(ms) {
    const end = this.#now + ms;
    for (await settle(); ; await settle()) {
      const [id, next] = [...this.#timers].reduce((a, b) => (b[1].due < a[1].due ? b : a), [0, { due: Infinity }]);
      if (next.due > end) break;
      this.#timers.delete(id);
      this.#now = Math.max(this.#now, next.due);
      next.fn();
    }
    this.#now = end;
  }

  /** How many timers are running. */
  get timers() {
    return this.#timers.size;
  }

  restore() {
    Object.assign(globalThis, { setTimeout: this.#real.setTimeout, clearTimeout: this.#real.clearTimeout });
    Date.now = this.#real.now;
  }
}

/** The server's side of one connection, and the socket that the client holds. */
export class Connection {
  constructor(server, url, protocols) {
    if (protocols.some((p) => !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(p))) throw new SyntaxError("bad subprotocol");
    const connection = this;
    this.server = server;
    this.url = url;
    this.protocols = protocols;
    this.frames = []; // what the client sent, decoded
    this.closedByClient = false;
    this.socket = {
      readyState: 0,
      send(data) {
        const frame = decode(data);
        connection.frames.push(frame);
        if (server.answers) queueMicrotask(() => server.answer(connection, frame));
      },
      close(code) {
        connection.closedByClient = code;
        this.readyState = 2; // the close event may be a long time coming
      },
    };
  }

  open() {
    this.socket.readyState = 1;
    this.socket.onopen?.({});
  }

  welcome(fields) {
    this.send({ type: "welcome", connection: "c1", session: "s1", user: "ada", at: Date.now(), heartbeat_ms: 25_000, limits: {}, ...fields });
  }

  send(frame) {
    if (this.socket.readyState === 1) this.socket.onmessage?.({ data: JSON.stringify(frame) });
  }

  sendBinary(header, payload) {
    const json = Buffer.from(JSON.stringify(header));
    const frame = new Uint8Array(2 + json.length + payload.length);
    new DataView(frame.buffer).setUint16(0, json.length);
    frame.set(json, 2);
    frame.set(payload, 2 + json.length);
    this.socket.onmessage?.({ data: frame.buffer });
  }

  reply(request, data, error) {
    this.send({ type: "reply", ref: request.ref, ok: !error, data, error });
  }

  refuse(request, code, retry_after_ms = 0) {
    this.reply(request, undefined, { code, message: `refused: ${code}`, retry_after_ms, id: "e1" });
  }

  drop(code = 1006, reason = "") {
    this.socket.readyState = 3;
    this.socket.onclose?.({ code, reason });
  }

  /** The last frame of a type that the client sent. */
  last(type) {
    return this.frames.findLast((frame) => frame.type === type);
  }

  all(type) {
    return this.frames.filter((frame) => frame.type === type);
  }
}

function decode(data) {
  if (typeof data === "string") return JSON.parse(data);
  const size = new DataView(data.buffer).getUint16(0);
  return { ...JSON.parse(Buffer.from(data.subarray(2, 2 + size)).toString()), payload: data.subarray(2 + size) };
}

/**
 * Collects connections. With `accepts` they open and are welcomed at once;
 * with `answers` requests are answered by `answer`, which tests may replace.
 */
export class Server {
  connections = [];
  accepts = true;
  answers = true;

  constructor() {
    const server = this;
    this.WebSocket = class {
      constructor(url, protocols) {
        const connection = new Connection(server, url, protocols);
        server.connections.push(connection);
        if (server.accepts) {
          queueMicrotask(() => {
            connection.open();
            if (server.accepts === true) connection.welcome();
          });
        }
        return connection.socket;
      }
    };
  }

  /** The present connection. */
  get now() {
    return this.connections.at(-1);
  }

  answer(connection, request) {
    switch (request.type) {
      case "join":
        return connection.reply(request, this.joinReply(request));
      case "message":
        return connection.reply(request, { at: Date.now() });
      default:
        return connection.reply(request, {});
    }
  }

  joinReply({ room }) {
    const ada = { user: "ada", name: "Ada", status: "online", since: 1, connections: 1 };
    return { room, permission: "public", members: [ada], epoch: "e1", offset: 0, recovered: false, messages: [] };
  }

  client(options) {
    return new Client("ws://chat.test/ws", { WebSocket: this.WebSocket, ...options });
  }
}

/** An empty log. `truth` is all data ever stored, by offset. */
export const newLog = (epoch) => ({ epoch, first: 1, log: [], ids: new Map(), truth: [] });

/** A server with rooms that keep a log and recover from it. */
export class LogServer extends Server {
  rooms = new Map(); // name → {epoch, first, log, ids, truth}

  room(name) {
    if (!this.rooms.has(name)) this.rooms.set(name, newLog("e1"));
    return this.rooms.get(name);
  }

  head(name) {
    const { first, log } = this.room(name);
    return first + log.length - 1;
  }

  /** Stores a message and sends it to the present connection. */
  publish(name, data, { from = "bob", id, silent } = {}) {
    const room = this.room(name);
    const message = { event: "message", from, data, id, at: Date.now(), epoch: room.epoch, offset: this.head(name) + 1 };
    room.log.push(message);
    room.truth[message.offset] = data;
    if (id) room.ids.set(id, message.offset);
    if (!silent && this.now?.in?.has(name)) this.now.send({ type: "message", room: name, ...message });
    return message.offset;
  }

  /** Forgets all but the newest n messages. */
  trim(name, n) {
    const room = this.room(name);
    const gone = Math.max(0, room.log.length - n);
    room.log.splice(0, gone);
    room.first += gone;
  }

  answer(connection, request) {
    if (connection.socket.readyState !== 1) return;
    const { type, room: name } = request;
    if (type === "join") {
      (connection.in ??= new Set()).add(name);
      return connection.reply(request, this.joinReply(request));
    }
    if (type === "message") {
      const known = this.room(name).ids.get(request.id);
      const offset = known ?? this.publish(name, request.data, { from: "ada", id: request.id, silent: request.echo === false });
      return connection.reply(request, { offset, epoch: this.room(name).epoch, at: Date.now(), duplicate: known ? true : undefined });
    }
    super.answer(connection, request);
  }

  joinReply(request) {
    const { epoch, first, log } = this.room(request.room);
    const { since, last = 0 } = request;
    const recovered = since?.epoch === epoch && since.offset >= first - 1;
    const messages = since ? log.filter((m) => !recovered || m.offset > since.offset) : last > 0 ? log.slice(-last) : [];
    return { ...super.joinReply(request), epoch, offset: this.head(request.room), recovered, messages };
  }
}

/** Records what an emitter says: [[event, detail], …]. */
export function record(emitter, ...events) {
  const heard = [];
  for (const event of events) emitter.on(event, (detail) => heard.push([event, detail]));
  return heard;
}
