// Who this tab is signed in as. An application of your own has a login of its
// own; what matters is `token`, which the client calls whenever it needs one.

const KEY = "wardroom-chat";

// In sessionStorage, so that a reload stays signed in and each tab may be
// somebody else. Mind that every script on the page can read it.
let session = JSON.parse(sessionStorage.getItem(KEY) ?? "null");

/** {token, user, name, roles, expires_at, rooms, current}, or null. */
export const current = () => session;

/** Remembers more about the session, like which rooms are open. */
export function keep(more) {
  if (!session) return;
  session = { ...session, ...more };
  sessionStorage.setItem(KEY, JSON.stringify(session));
}

export async function signIn(name, roles) {
  const answer = await login(name, roles);
  session = {};
  keep({ ...answer, roles });
}

async function login(name, roles) {
  const response = await fetch("/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name, roles }),
  });
  const answer = await response.json();
  if (!response.ok) throw answer.error;
  return answer;
}

export function signOut() {
  session = null;
  sessionStorage.removeItem(KEY);
}

/**
 * The token callback of the client. `fresh` means that the last token has
 * expired or was perhaps refused: the demo simply signs in again under the
 * same name. When that fails the client tries again later.
 */
export async function token({ fresh }) {
  if (!session) return null; // signed out: the client stops
  if (fresh || session.expires_at - Date.now() < 30_000) keep(await login(session.name, session.roles));
  return session?.token; // nobody may be signed in by now
}
