// The messages of one room on the page: grouped by author, separated by days,
// and never anything but text.
import { dayOf, dressAvatar, timeOf } from "./words.js";

/** Messages of one author within this time hang together. */
const GROUP_MS = 5 * 60_000;
/** So many lines are kept on the page; older ones come back by scrolling. */
const MAX_LINES = 1_000;

const template = document.getElementById("message-template");

export class Log {
  /** For the page to place. It scrolls by itself. */
  element = document.createElement("div");
  #list = document.createElement("ol");
  #messages = new Map(); // offset → its line
  #nameOf;
  #isOwn;

  /** `edit(offset, text)` and `remove(offset)` are called by the buttons on own messages. */
  constructor({ nameOf, isOwn, edit, remove, label }) {
    this.#nameOf = nameOf;
    this.#isOwn = isOwn;
    this.element.append(this.#list);
    this.element.className = "log";
    this.element.tabIndex = 0; // so that the keyboard can scroll it
    this.element.setAttribute("role", "log");
    this.element.setAttribute("aria-label", label);
    this.element.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      const line = target.closest(".message");
      if (!button || !line) return;
      const offset = Number(line.dataset.offset);
      if (button.matches(".edit")) edit(offset, line.querySelector(".text").textContent);
      else if (button.matches(".sure")) remove(offset);
      else askFirst(button);
    });
  }

  /** The offset of the oldest message here, or undefined. */
  get oldest() {
    return this.#messages.size > 0 ? Math.min(...this.#messages.keys()) : undefined;
  }

  /** The newest own message that can be edited, or undefined. */
  get lastOwn() {
    return [...this.element.querySelectorAll(".message.own:not(.gone)[data-offset]")].at(-1);
  }

  get atBottom() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    return scrollHeight - scrollTop - clientHeight < 60;
  }

  toBottom() {
    this.element.scrollTop = this.element.scrollHeight;
  }

  /** Adds messages to the end. Returns whether they are in view. */
  append(...messages) {
    const follow = this.atBottom;
    for (const message of messages) {
      const line = this.#line(message);
      if (line) this.#place(line, null);
    }
    return this.#settle(follow);
  }

  /** Adds a line that is no message: who came, what was missed. */
  note(text, kind = "note") {
    const follow = this.atBottom;
    const line = document.createElement("li");
    line.className = kind;
    line.textContent = text;
    this.#list.append(line);
    this.#settle(follow);
    return line;
  }

  /** Shows an own message until the server has it; returns how to end that. */
  pending(text) {
    const line = this.note(text, "pending");
    this.toBottom();
    return () => line.remove();
  }

  /** Adds older messages, oldest first, without moving what is read. */
  prepend(messages) {
    const { element } = this;
    const height = element.scrollHeight;
    const top = element.scrollTop;
    const first = element.querySelector(".message");
    first?.previousElementSibling?.matches(".day") && first.previousElementSibling.remove();
    element.setAttribute("aria-busy", "true"); // old news is not read out
    for (const message of messages) {
      const line = this.#line(message);
      if (line) this.#place(line, first);
    }
    if (first) this.#join(first);
    element.removeAttribute("aria-busy");
    element.scrollTop = top + element.scrollHeight - height;
  }

  edit(offset, text) {
    const line = this.#messages.get(offset);
    if (!line || line.matches(".gone")) return;
    line.querySelector(".text").textContent = text;
    line.classList.add("edited");
  }

  redact(offset) {
    const line = this.#messages.get(offset);
    if (line) hollow(line);
  }

  clear() {
    this.#list.replaceChildren();
    this.#messages.clear();
  }

  /** Offsets mean nothing any more: the room has a new log. */
  forget() {
    for (const line of this.#messages.values()) delete line.dataset.offset;
    this.#messages.clear();
  }

  #line(message) {
    if (message.offset && this.#messages.has(message.offset)) return null;
    const line = template.content.firstElementChild.cloneNode(true);
    const name = message.from ? this.#nameOf(message.from) : "wardroom";
    line.dataset.from = message.from ?? "";
    line.dataset.at = message.at;
    dressAvatar(line.querySelector(".avatar"), message.from ?? "", name);
    line.querySelector(".author").textContent = name;
    line.querySelector("time").textContent = timeOf(message.at);
    line.querySelector("time").dateTime = new Date(message.at).toISOString();
    line.querySelector(".text").textContent = asText(message.data);
    line.classList.toggle("own", this.#isOwn(message));
    if (message.offset) {
      line.dataset.offset = message.offset;
      this.#messages.set(message.offset, line);
    }
    if (message.redacted) hollow(line);
    return line;
  }

  #place(line, before) {
    this.#list.insertBefore(line, before ?? this.#list.querySelector(".pending"));
    this.#join(line);
  }

  // join makes a line hang together with the message before it, or sets it
  // apart from that by a day.
  #join(line) {
    let previous = line.previousElementSibling;
    while (previous && !previous.matches(".message")) previous = previous.previousElementSibling;
    const at = Number(line.dataset.at);
    const before = Number(previous?.dataset.at);
    const sameDay = previous && dayOf(before) === dayOf(at);
    const direct = line.previousElementSibling === previous; // no note in between
    line.classList.toggle("again", Boolean(sameDay && direct && previous.dataset.from === line.dataset.from && at - before < GROUP_MS));
    if (sameDay) return;
    const day = document.createElement("li");
    day.className = "day";
    day.textContent = dayOf(at);
    line.before(day);
  }

  #settle(follow) {
    while (this.#list.childElementCount > MAX_LINES && follow) {
      const oldest = this.#list.firstElementChild;
      this.#messages.delete(Number(oldest.dataset.offset));
      oldest.remove();
    }
    if (follow) this.toBottom();
    return follow;
  }
}

function asText(data) {
  if (typeof data === "string") return data;
  if (data instanceof Uint8Array) return `(${data.length} bytes)`;
  return data === undefined ? "" : JSON.stringify(data);
}

function hollow(line) {
  line.classList.add("gone");
  line.querySelector(".text").textContent = "This message was deleted.";
  const actions = line.querySelector(".actions");
  if (actions?.contains(document.activeElement)) line.closest(".log").focus(); // the keyboard stays here
  actions?.remove();
}

// Deleting takes two clicks, a little apart.
function askFirst(button) {
  const label = button.querySelector(".sr");
  button.classList.add("sure");
  label.classList.remove("sr");
  label.textContent = "Delete?";
  setTimeout(() => {
    button.classList.remove("sure");
    label.classList.add("sr");
    label.textContent = "Delete";
  }, 4000);
}
