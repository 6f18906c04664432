import { asBytes, uniqueID, withBytes } from "./codec.js";
import { Emitter } from "./emitter.js";
import { WardroomError } from "./errors.js";

/**
 * A room that this client is in. It stays a member over reconnects, until
 * `leave()` or the event `removed` or `deleted`.
 *
 * Published messages arrive as `message`, or as `event:NAME` when they were
 * published with an event of their own; no message that a user sends can pass
 * for one of the room's own events.
 */
export class Room {
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
