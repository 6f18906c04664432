// The chat page: signing in, the list of rooms, and the room in front.
//
// For tests that drive this page (data-testid, or id where one is given):
//
//   #name #staff #sign-in #login-error    the sign-in form
//   #room-list [data-room="lobby"]        a room's button; aria-current="true" on the one in front
//   #other-kind #other-name #create #enter   making and entering other rooms (#other is the <details> around them)
//   #room-name #permission #leave         the room in front
//   #text #send                           the message box and its button
//   [data-testid="message"]               a message, with data-offset, data-from; .own .gone .edited;
//                                         its text is .text, its buttons are .edit and .delete (twice)
//   .pending                              an own message that the server does not have yet
//   .note                                 who came and went, and what was recovered
//   #typing                               who is typing
//   #member-list [data-user="ada"]        a member, with data-status
//   #connection[data-state]               idle, connecting, online, reconnecting, offline or closed
//   [data-testid="refusal"] #knock        why the room in front cannot be entered, and trying again
//   [data-testid="toast"]                 an error, in words
//   #invite-user                          inviting into the private room in front
//   .badge                                how many messages are unread in a room
//   #my-name #my-id #sign-out             who this tab is
import { Client } from "/js/wardroom.js";
import { Composer } from "./composer.js";
import * as session from "./session.js";
import { nameOf, presence, rooms, supports, View } from "./view.js";
import { dressAvatar, inWords, timeOf } from "./words.js";

const $ = (id) => document.getElementById(id);
const views = new Map(); // by room name, in the order of the list
let client = null;
let front = null; // the view in front

// ---- signing in and out

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("login-error").textContent = "";
  $("sign-in").disabled = true;
  try {
    await session.signIn($("name").value.trim(), $("staff").checked ? ["staff"] : []);
    start();
  } catch (error) {
    $("login-error").textContent = error.message ?? "The server cannot be reached.";
  } finally {
    $("sign-in").disabled = false;
  }
});

$("sign-out").addEventListener("click", () => {
  session.signOut();
  client.close();
});

function askWho(why = "") {
  $("chat").hidden = true;
  $("login").hidden = false;
  $("login-form").reset();
  $("login-error").textContent = why;
  $("name").focus();
}

function start() {
  $("login").hidden = true;
  $("chat").hidden = false;

  // All that a page needs to stay connected: an address and a token callback.
  client = new Client("/ws", { token: session.token });
  client.on("state", showConnection);
  client.on("welcome", showMe);
  client.on("error", (error) => error.code !== "disconnected" && toast(error));
  client.connect().catch(() => {}); // the state says why

  // Back to where we were before a reload.
  const { rooms: before = ["lobby"], current = "lobby" } = session.current();
  for (const name of new Set([...Object.keys(rooms), ...before])) list(name);
  for (const name of before) open(views.get(name));
  bringToFront(current);
  composer.focus();
}

function stop(why) {
  for (const { log } of views.values()) log.element.remove();
  views.clear();
  $("room-list").replaceChildren();
  composer.text = "";
  showPanel("");
  front = null;
  document.title = "wardroom chat";
  askWho(why);
}

function showMe({ user, name = user }) {
  $("my-name").textContent = name;
  $("my-id").textContent = user;
  dressAvatar($("my-avatar"), user, name);
}

// ---- connection

let countdown;

function showConnection({ state, retryAt, error }) {
  clearInterval(countdown);
  $("connection").dataset.state = state;
  $("retry").hidden = retryAt === undefined && state !== "closed";
  const say = (text) => ($("connection-text").textContent = text);
  switch (state) {
    case "online":
      say("Online");
      break;
    case "closed":
      if (!session.current() || ["unauthenticated", "revoked"].includes(error.code)) {
        session.signOut();
        return stop(error.code === "closed" ? "" : inWords(error));
      }
      say("Disconnected");
      toast(error);
      break;
    default: {
      const words = { connecting: "Connecting", reconnecting: "Reconnecting", offline: "No network" }[state];
      const count = () => say(retryAt > Date.now() ? `${words}, next try in ${Math.ceil((retryAt - Date.now()) / 1000)} s` : `${words}…`);
      count();
      if (retryAt) countdown = setInterval(count, 250);
    }
  }
  $("announce").textContent = { online: "Connected", reconnecting: "Connection lost, reconnecting", offline: "No network" }[state] ?? "";
}

$("retry").addEventListener("click", () => client.connect().catch(() => {}));

// Who looks elsewhere for half a minute is away.
let leaving;
document.addEventListener("visibilitychange", () => {
  clearTimeout(leaving);
  if (!client) return;
  if (document.hidden) leaving = setTimeout(() => presence(client, "away").catch(() => {}), 30_000);
  else {
    presence(client, "online").catch(() => {});
    if (front) read(front);
  }
});

// ---- the list of rooms

function list(name) {
  const view = new View(client, name, { changed: draw, failed: toast, edit: (offset, text) => composer.edit(offset, text) });
  views.set(name, view);
  view.log.element.hidden = true;
  $("logs").append(view.log.element);
  view.log.element.addEventListener("scroll", () => {
    if (view === front && view.log.atBottom) read(view);
  });
  const entry = $("room-template").content.firstElementChild.cloneNode(true);
  const button = entry.querySelector("button");
  button.dataset.room = name;
  button.querySelector(".name").textContent = name;
  button.addEventListener("click", () => {
    showPanel("");
    bringToFront(name);
    composer.focus();
  });
  $("room-list").append(entry);
  draw(view);
  return view;
}

function bringToFront(name) {
  const view = views.get(name) ?? list(name);
  if (front && front !== view) {
    front.draft = composer.text;
    front.log.element.hidden = true;
  }
  const before = front;
  front = view;
  view.log.element.hidden = false;
  view.log.toBottom();
  composer.text = view.draft;
  if (before) draw(before);
  read(view);
  open(view);
}

async function open(view) {
  const entering = view.enter();
  remember();
  await entering;
  remember();
}

function remember() {
  const rooms = [...views.values()].filter(({ wanted }) => wanted).map(({ name }) => name);
  session.keep({ rooms, current: front?.name });
}

$("leave").addEventListener("click", () => {
  const { name } = front;
  front.leave();
  front.refusal = "You left this room.";
  if (!(name in rooms)) {
    front.log.element.remove();
    $("room-list").querySelector(`[data-room="${CSS.escape(name)}"]`).parentElement.remove();
    views.delete(name);
    front = null;
    bringToFront("lobby");
  }
  remember();
  if (front) draw(front);
});

$("knock").addEventListener("click", () => {
  front.refusal = "";
  open(front);
});

$("other-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = `${$("other-kind").value}:${$("other-name").value.trim().toLowerCase()}`;
  try {
    // Creating makes us the owner; entering is a step of its own.
    if (event.submitter?.value !== "enter") await client.create(name);
    $("other-form").reset();
    $("other").open = false;
    showPanel("");
    bringToFront(name);
  } catch (error) {
    toast(error, name);
  }
});

// ---- the room in front

/** Draws what there is to see of a room besides its messages. */
function draw(view) {
  const button = $("room-list").querySelector(`[data-room="${CSS.escape(view.name)}"]`);
  if (!button) return;
  button.setAttribute("aria-current", view === front);
  button.classList.toggle("joined", Boolean(view.room));
  button.querySelector("use").setAttribute("href", `#icon-${view.permission ?? "private"}`);
  badge(button.querySelector(".badge"), view.unread);
  const unread = [...views.values()].reduce((sum, { unread }) => sum + unread, 0);
  badge($("unread-elsewhere"), unread - (front?.unread ?? 0));
  document.title = `${unread ? `(${unread}) ` : ""}${front?.name ?? "wardroom"} – wardroom chat`;
  if (view !== front) return;

  $("room-name").textContent = view.name;
  $("about").textContent = view.about;
  $("permission").textContent = { public: "public", private: "private", restricted: "staff only", owner_only: "owner only" }[view.permission];
  $("permission").dataset.permission = view.permission;
  $("leave").hidden = !view.room && view.name in rooms;
  $("refusal").hidden = !view.refusal;
  $("refusal-text").textContent = view.refusal;
  $("composer").hidden = Boolean(view.refusal);
  $("typing").textContent = view.typing;
  $("to-bottom").hidden = view.unread === 0 || view.log.atBottom;
  drawMembers(view);
}

function badge(element, count) {
  element.hidden = count === 0;
  element.firstElementChild.textContent = count > 99 ? "99+" : count || "";
}

function drawMembers(view) {
  const members = view.members;
  const more = Boolean(view.room?.membersNext);
  $("member-count").textContent = members.length ? `${members.length}${more ? "+" : ""}` : "";
  $("more-members").hidden = !more;
  $("invite").hidden = view.permission !== "private" || !view.room || !supports("invite");
  $("member-list").replaceChildren(
    ...members.map(({ user, name = user, status, since }) => {
      const line = $("member-template").content.firstElementChild.cloneNode(true);
      line.dataset.user = user;
      line.dataset.status = status;
      line.title = `${name}: ${status}, here since ${timeOf(since)}`;
      dressAvatar(line.querySelector(".avatar"), user, name);
      line.querySelector("b").textContent = name;
      line.querySelector(".muted").textContent =
        user + (user === client.user ? " · you" : "") + (status === "online" ? "" : ` · ${status}`);
      return line;
    }),
  );
}

function read(view) {
  if (!document.hidden && view.log.atBottom) view.unread = 0;
  draw(view);
}

$("to-bottom").addEventListener("click", () => {
  front.log.toBottom();
  read(front);
});

$("more-members").addEventListener("click", () =>
  front.room.fetchMembers({ after: front.room.membersNext }).catch(toast),
);

$("invite").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await front.invite($("invite-user").value.trim());
    $("invite").reset();
    draw(front);
  } catch (error) {
    toast(error, front.name);
  }
});

// ---- writing

const composer = new Composer({
  async submit(text, offset) {
    const view = front;
    if (!view.room) return;
    try {
      await (offset ? view.edit(offset, text) : view.say(text));
    } catch (error) {
      toast(error, view.name);
      if (view === front) composer.giveBack(text); // what could not be sent is not lost
    }
  },
  typed: () => front.typed(),
  lastOwn: () => (supports("edit") ? front.log.lastOwn : undefined),
  limit: () => client.welcome?.limits.text_chars,
});

// ---- panels on narrow screens

function showPanel(name) {
  document.body.dataset.panel = name;
  $("show-rooms").setAttribute("aria-expanded", name === "rooms");
  $("show-members").setAttribute("aria-expanded", name === "members");
}

for (const name of ["rooms", "members"]) {
  $(`show-${name}`).addEventListener("click", () => {
    showPanel(document.body.dataset.panel === name ? "" : name);
    $(name).querySelector("button, input")?.focus();
  });
}
$("backdrop").addEventListener("click", () => showPanel(""));
document.addEventListener("keydown", (event) => event.key === "Escape" && showPanel(""));

// ---- errors

function toast(error, roomName = front?.name) {
  const text = inWords(error, roomName);
  for (const old of [...$("toasts").children]) if (old.textContent === text) old.remove();
  const line = document.createElement("p");
  line.className = "toast";
  line.dataset.testid = "toast";
  line.dataset.code = error.code ?? "";
  line.textContent = text;
  $("toasts").append(line);
  while ($("toasts").childElementCount > 3) $("toasts").firstElementChild.remove();
  setTimeout(() => line.remove(), 6000);
}

if (session.current()) start();
else askWho();
