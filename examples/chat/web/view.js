// One room of the list: what this page does with a wardroom Room.
import { Log } from "./log.js";
import { inWords, plural, typingInWords } from "./words.js";

/** "typing" is sent at most this often, and believed for a little longer. */
const TYPING_EVERY_MS = 2_500;
const TYPING_FOR_MS = 4_000;
const PAGE = 50;

/** What every page knows without asking. Others are team:NAME and office:NAME. */
export const rooms = {
  lobby: { permission: "public", about: "For everyone. What is said is kept for a day." },
  staff: { permission: "restricted", about: "For users with the role “staff”." },
  tiny: { permission: "public", about: "For everyone, but only two at a time." },
  fast: { permission: "public", about: "For everyone. Say a lot: nothing is kept." },
};
const kinds = {
  team: { permission: "private", about: "A team’s own room: by invitation." },
  office: { permission: "owner_only", about: "One user’s own room, on all their devices." },
};

// What the server turned out not to support: the page goes without.
const missing = new Set();
export const supports = (feature) => !missing.has(feature);

/** Does `act`, unless the server has no such feature. */
async function optional(feature, act) {
  if (!supports(feature)) return;
  try {
    return await act();
  } catch (error) {
    if (error.code !== "unsupported_call") throw error;
    missing.add(feature);
    document.body.classList.add(`no-${feature}`); // chat.css hides its buttons
  }
}

// Messages bear user IDs; the names come from the lists of members.
const names = new Map();
export const nameOf = (user) => names.get(user) ?? user;

export class View {
  room = null;
  refusal = ""; // why the room cannot be entered
  unread = 0;
  draft = ""; // what is written and not sent
  #client;
  #changed;
  #typists = new Map(); // user → timer
  #typed = 0; // when "typing" was last sent
  #entering = null; // the promise of a join under way
  #complete = false; // there is no older history

  /**
   * `changed(view)` is called when there is something to draw anew,
   * `failed(error)` for toasts, `edit(offset, text)` when a message is to be
   * edited.
   */
  constructor(client, name, { changed, failed, edit }) {
    this.#client = client;
    this.#changed = () => changed(this);
    this.name = name;
    this.log = new Log({
      label: `Messages in ${name}`,
      nameOf,
      isOwn: (message) => message.from === client.user,
      edit,
      remove: (offset) => optional("edit", () => this.room.redact(offset)).catch(failed),
    });
    this.log.element.addEventListener("scroll", () => {
      if (this.log.element.scrollTop < 100) this.older().catch(failed);
    });
  }

  get about() {
    return (rooms[this.name] ?? kinds[this.name.split(":")[0]])?.about ?? "";
  }

  get permission() {
    return this.room?.permission ?? (rooms[this.name] ?? kinds[this.name.split(":")[0]])?.permission;
  }

  get typing() {
    return typingInWords([...this.#typists.keys()].map(nameOf));
  }

  /** Members by presence and name. */
  get members() {
    const order = { online: 0, away: 1, offline: 2 };
    return [...(this.room?.members.values() ?? [])].sort(
      (a, b) => order[a.status] - order[b.status] || nameOf(a.user).localeCompare(nameOf(b.user)),
    );
  }

  /** Joins the room, or learns why not. */
  enter() {
    if (!this.room) this.#entering ??= this.#enter().finally(() => (this.#entering = null));
    return this.#entering;
  }

  async #enter() {
    try {
      this.#listen(await this.#client.join(this.name, { last: PAGE }));
      this.refusal = "";
    } catch (error) {
      this.refusal = inWords(error, this.name);
    }
    this.#changed();
  }

  /** Whether we are in the room, or on our way. */
  get wanted() {
    return Boolean(this.room ?? this.#entering);
  }

  leave() {
    this.room?.leave();
    this.room = null;
  }

  #listen(room) {
    this.room = room;
    this.#learn();
    this.log.clear(); // of an earlier stay
    this.#complete = room.position === null || room.messages.length < PAGE; // no history, or all of it is here
    this.log.append(...room.messages.filter(isChat));
    this.log.toBottom();

    room.on("message", (message) => {
      this.#stoppedTyping(message.from);
      const seen = this.log.append(message);
      if (message.from !== this.#client.user) this.#heard(seen);
    });
    room.on("edited", ({ target, data }) => this.log.edit(target, data));
    room.on("redacted", ({ target }) => this.log.redact(target));
    room.on("event:typing", ({ from, data }) => (data ? this.#startedTyping(from) : this.#stoppedTyping(from)));

    room.on("members", () => {
      this.#learn();
      this.#changed();
    });
    room.on("joined", ({ user, name }) => this.log.note(`${name ?? user} came in`));
    room.on("left", ({ user, name, reason }) => {
      this.#stoppedTyping(user);
      this.log.note(`${name ?? user} ${farewells[reason] ?? "left"}`);
    });
    let { permission } = room;
    room.on("updated", (settings) => {
      if (settings.permission !== permission) this.log.note(`This room is now ${settings.permission.replace("_", " ")}`);
      ({ permission } = settings);
      this.#changed();
    });

    // After a reconnect: either nothing was missed, or we say so.
    room.on("recovered", ({ count }) => {
      if (count > 0) this.log.note(`You are back, and caught up with ${plural(count, "entry", "entries")}`, "note good");
    });
    room.on("gap", ({ since, epoch }) => {
      this.log.note("You were away. Messages from that time may be missing", "note warn");
      if (since?.epoch === epoch) return;
      this.log.forget(); // a log that begins anew: the server was restarted without one
      this.#complete = true;
    });

    const out = (refusal) => {
      this.room = null;
      this.refusal = refusal;
      this.#changed();
    };
    room.on("removed", (removal) => out(inWords({ ...removal, message: removal.reason }, this.name) + quoted(removal.reason)));
    room.on("deleted", () => out("This room was deleted."));
  }

  /** Sends a message. It shows as pending until the server has it. */
  async say(text) {
    const done = this.log.pending(text);
    this.#typed = 0;
    try {
      await this.room.publish(text);
    } finally {
      done();
    }
  }

  /** Changes an own message. */
  edit(offset, text) {
    return optional("edit", () => this.room.edit(offset, text));
  }

  /** Tells the others that somebody types here: a message that nobody keeps. */
  typed() {
    if (!this.room?.joined || Date.now() - this.#typed < TYPING_EVERY_MS) return;
    this.#typed = Date.now();
    this.room.publish(true, { event: "typing", store: false, echo: false }).catch(() => {});
  }

  /** Loads older messages, when there are any. */
  async older() {
    const before = this.log.oldest;
    if (this.#complete || !before || !this.room) return;
    this.#complete = true; // until this page says otherwise
    try {
      const page = await optional("history", () => this.room.history({ before, limit: PAGE }));
      if (!page) return;
      this.log.prepend(page.messages.filter(isChat));
      this.#complete = !page.more;
    } catch (error) {
      this.#complete = false;
      throw error;
    }
  }

  async invite(user) {
    const invited = await optional("invite", () => this.room.invite(user));
    if (invited) this.log.note(`You invited ${user}`);
  }

  #heard(seen) {
    if (seen && !document.hidden && this.log.element.isConnected && !this.log.element.hidden) return;
    this.unread++;
    this.#changed();
  }

  #learn() {
    for (const { user, name } of this.room.members.values()) if (name) names.set(user, name);
  }

  #startedTyping(user) {
    clearTimeout(this.#typists.get(user));
    this.#typists.set(user, setTimeout(() => this.#stoppedTyping(user), TYPING_FOR_MS));
    this.#changed();
  }

  #stoppedTyping(user) {
    if (!this.#typists.has(user)) return;
    clearTimeout(this.#typists.get(user));
    this.#typists.delete(user);
    this.#changed();
  }
}

/** This user's presence in all rooms. */
export const presence = (client, status) => optional("presence", () => client.presence(status));

const isChat = ({ event = "message", target }) => event === "message" && target === undefined;
const quoted = (reason) => (reason ? ` “${reason}”` : "");
const farewells = {
  disconnected: "lost the connection",
  timeout: "lost the connection",
  kicked: "was asked to leave",
  banned: "was banned",
  access_revoked: "no longer has access",
};
