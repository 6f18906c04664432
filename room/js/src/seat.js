import { Room } from "./room.js";

/** The client's end of a Room: what is asked and heard for it, and when. */
export class Seat {
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
