// Errors, times and names as people read them.

/**
 * What went wrong, in one sentence. Codes are stable and for programs; the
 * server's message is safe to show, but does not know this page.
 */
export function inWords(error, roomName = "") {
  const wait = error.retryAfter > 0 ? `try again in ${seconds(error.retryAfter)}` : "try again in a moment";
  switch (error.code) {
    case "rate_limited":
      return `Slow down: ${wait}.`;
    case "muted":
      return `You are muted in this room${error.retryAfter > 0 ? ` for another ${seconds(error.retryAfter)}` : ""}.`;
    case "banned":
      return `You are banned from this room${error.retryAfter > 0 ? ` for another ${seconds(error.retryAfter)}` : ""}.`;
    case "kicked":
      return "You were asked to leave this room.";
    case "access_revoked":
      return "You no longer have access to this room.";
    case "forbidden":
      return closed(roomName);
    case "not_member":
      return "You are not in this room.";
    case "room_full":
      return "This room is full. Try again when somebody has left.";
    case "already_exists":
      return "There is a room with this name already.";
    case "too_many_rooms":
      return "You are in too many rooms. Leave one first.";
    case "too_many_connections":
      return "You are signed in on too many devices.";
    case "too_large":
      return "That is too long for one message.";
    case "invalid_room":
      return "A room cannot be called that. Use letters, digits, and . _ -";
    case "unauthenticated":
    case "token_expired":
      return "Please sign in again.";
    case "revoked":
      return "Your session was ended. Please sign in again.";
    case "replaced":
      return "You are connected from somewhere else.";
    case "policy_violation":
      return "The server closed the connection, because too much was sent too fast.";
    case "disconnected":
      return "The connection was lost before this was done.";
    case "timeout":
      return "The server did not answer in time.";
    case "unavailable":
      return `The server cannot do this right now: ${wait}.`;
    case "outbox_full":
      return "Too many messages are waiting to be sent.";
    default:
      return sentence(error.message) || "Something went wrong.";
  }
}

/** Why a door is closed. The server does not say whether the room exists. */
function closed(roomName) {
  if (roomName === "staff") return "Only staff may enter. Sign in with “I am staff” to get in.";
  if (roomName.startsWith("team:")) return "This team is private, or there is no such team. Ask its owner for an invitation.";
  if (roomName.startsWith("office:")) return "Only its owner may enter an office.";
  return "You may not do that here.";
}

function seconds(ms) {
  const s = Math.ceil(ms / 1000);
  if (s < 90) return `${s} s`;
  return s < 5400 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
}

function sentence(text) {
  if (!text) return "";
  return text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

export const timeOf = (at) => clock.format(at);

export function dayOf(at) {
  const today = new Date().setHours(0, 0, 0, 0);
  const day = new Date(at).setHours(0, 0, 0, 0);
  if (day === today) return "Today";
  if (Math.round((today - day) / 86_400_000) === 1) return "Yesterday";
  return date.format(at);
}

/** "Ada is typing…", and the like. */
export function typingInWords(names) {
  if (names.length === 0) return "";
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing…`;
  return "Several people are typing…";
}

export const plural = (n, one, many) => `${n} ${n === 1 ? one : many}`;

/** One or two letters, and a colour that stays with the user. */
export function dressAvatar(element, user, name) {
  const words = name.trim().split(/\s+/);
  element.textContent = words
    .slice(0, 2)
    .map((word) => [...word][0] ?? "")
    .join("")
    .toUpperCase();
  let hue = 0;
  for (const c of user) hue = (hue * 31 + c.codePointAt(0)) % 360;
  element.style.setProperty("--hue", hue);
}
