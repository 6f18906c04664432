import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Clock, record, Server, settle } from "../testing/fake.js";

let clock;
let server;
let draw; // what Math.random answers
beforeEach(() => {
  clock = new Clock();
  server = new Server();
  draw = 0.5;
  mock.method(Math, "random", () => draw);
});
afterEach(() => {
  clock.restore();
  mock.reset();
  for (const name of ["addEventListener", "removeEventListener", "document", "navigator"]) delete globalThis[name];
});

async function connected(options) {
  const client = server.client({ token: "T", ...options });
  await client.connect();
  return client;
}

for (const [code, expected] of [
  [4000, "bad_request"],
  [4001, "unauthenticated"],
  [4003, "forbidden"],
  [4004, "revoked"],
  [4008, "policy_violation"],
  [4009, "replaced"],
  [4050, "closed"],
  [4099, "closed"],
]) {
  test(`close code ${code}: stays away (${expected})`, async () => {
    const client = await connected();
    const states = record(client, "state");
    const call = client.call("x");
    server.answers = false;
    server.now.drop(code, code === 4003 ? "not today" : "");
    await assert.rejects(call, { closeCode: code });
    assert.equal(client.state, "closed");
    const { error } = states.at(-1)[1];
    assert.equal(error.code, expected);
    assert.equal(error.closeCode, code);
    if (code === 4003) assert.equal(error.message, "not today");
    await clock.pass(120_000);
    assert.equal(server.connections.length, 1);
    await assert.rejects(client.call("x"), { code: "closed" });
  });
}

for (const code of [1000, 1001, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013, 1015, 3000, 3999]) {
  test(`close code ${code}: backs off`, () => backsOff(code));
}
for (const code of [4100, 4101, 4102, 4103, 4104, 4199, 4300, 4999]) {
  test(`close code ${code}: backs off`, () => backsOff(code));
}
async function backsOff(code) {
  const client = await connected();
  server.now.drop(code);
  assert.equal(client.state, "reconnecting");
  await clock.pass(249);
  assert.equal(server.connections.length, 1);
  await clock.pass(1);
  assert.equal(server.connections.length, 2);
  assert.equal(client.state, "online");
}

for (const code of [4200, 4201, 4299]) {
  test(`close code ${code}: comes back at once, but not in a loop`, async () => {
    const client = await connected();
    server.now.drop(code);
    await clock.pass(1);
    assert.equal(server.connections.length, 2);
    assert.equal(client.state, "online");
    server.now.drop(code);
    await clock.pass(1);
    assert.equal(server.connections.length, 2, "the second time within 5 s it backs off");
    await clock.pass(250);
    assert.equal(server.connections.length, 3);
    await clock.pass(5000);
    server.now.drop(code);
    await clock.pass(1);
    assert.equal(server.connections.length, 4);
  });
}

for (const [code, fresh] of [
  [4101, true],
  [4100, false],
  [4102, false],
  [1012, false],
  [4200, false],
]) {
  test(`after ${code} the token is ${fresh ? "" : "not "}asked for anew`, async () => {
    const asked = [];
    await connected({ token: (why) => (asked.push(why), "T") });
    server.now.drop(code);
    await clock.pass(500);
    assert.deepEqual(asked[1], { fresh, reason: "reconnect" });
  });
}

test("a refused handshake may be the token's fault", async () => {
  const asked = [];
  server.accepts = false;
  const client = server.client({ token: (why) => (asked.push(why), "T") });
  client.connect();
  await settle();
  server.now.drop(1006);
  await clock.pass(250);
  assert.deepEqual(asked, [
    { fresh: false, reason: "connect" },
    { fresh: true, reason: "connect" },
  ]);
});

test("the delay is drawn from 0 to a ceiling that doubles up to the cap", async () => {
  const client = await connected();
  server.accepts = false;
  const states = record(client, "state");
  const delays = [];
  server.now.drop(1006);
  for (let i = 0; i < 9; i++) {
    const { retryAt, attempt } = states.at(-1)[1];
    assert.equal(attempt, i + 1);
    delays.push(retryAt - Date.now());
    await clock.pass(retryAt - Date.now());
    server.now.drop(1006);
  }
  assert.deepEqual(delays, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000], "half of each ceiling");
  draw = 0.999;
  await clock.pass(15_000);
  server.now.drop(1006);
  assert.equal(states.at(-1)[1].retryAt - Date.now(), 0.999 * 30_000);
  draw = 0;
  await clock.pass(30_000);
  server.now.drop(1006);
  assert.equal(states.at(-1)[1].retryAt, Date.now());
});

test("a connection that lasts earns a fresh back-off, one that does not keeps it", async () => {
  const client = await connected();
  const states = record(client, "state");
  const drop = () => {
    server.now.drop(1006);
    return states.at(-1)[1].retryAt - Date.now();
  };
  assert.equal(drop(), 250);
  await clock.pass(300);
  assert.equal(client.state, "online");
  assert.equal(drop(), 500, "up for a moment only");
  await clock.pass(600);
  await clock.pass(5000);
  assert.equal(drop(), 250, "up for 5 s");
});

test("base and cap are options", async () => {
  const client = await connected({ reconnect: { base: 100, cap: 150 } });
  const states = record(client, "state");
  server.accepts = false;
  server.now.drop(1006);
  assert.equal(states.at(-1)[1].retryAt - Date.now(), 50);
  await clock.pass(50);
  server.now.drop(1006);
  assert.equal(states.at(-1)[1].retryAt - Date.now(), 75);
});

test("maxAttempts: gives up, and connect() may be called again", async () => {
  const client = server.client({ reconnect: { maxAttempts: 2 } });
  server.accepts = false;
  const failed = client.connect();
  for (let i = 0; i < 3; i++) {
    await clock.pass(1000);
    server.now.drop(1006);
  }
  await assert.rejects(failed, { code: "disconnected", closeCode: 1006 });
  assert.equal(server.connections.length, 3);
  assert.equal(client.state, "closed");
  server.accepts = true;
  await client.connect();
  assert.equal(client.state, "online");
});

test("reconnect: false gives up at the first loss", async () => {
  const client = await connected({ reconnect: false });
  server.now.drop(1006);
  assert.equal(client.state, "closed");
  await clock.pass(60_000);
  assert.equal(server.connections.length, 1);
});

// ---- goaway
test("the connection is used until the delay is over, then replaced", async () => {
  const client = await connected();
  const heard = record(client, "goaway");
  server.now.send({ type: "goaway", reconnect_in_ms: 3000 });
  assert.deepEqual(heard[0][1].reconnect_in_ms, 3000);
  await clock.pass(2999);
  assert.equal(client.state, "online");
  await client.call("still", "there");
  await clock.pass(2);
  assert.equal(server.connections[0].closedByClient, 1000);
  assert.equal(server.connections.length, 2);
  assert.equal(client.state, "online");
  await clock.pass(60_000);
  assert.equal(server.connections.length, 2);
});

for (const [code, at] of [
  [4200, 3000],
  [1012, 3000],
  [1001, 3000],
  [1006, 3000],
  [4103, 3000],
]) {
  test(`a close with ${code} meanwhile does not shorten the delay`, async () => {
    await connected();
    server.now.send({ type: "goaway", reconnect_in_ms: 3000 });
    await clock.pass(1000);
    server.now.drop(code);
    await clock.pass(at - 1001);
    assert.equal(server.connections.length, 1);
    await clock.pass(1);
    assert.equal(server.connections.length, 2);
  });
}

test("4100–4199 still backs off when that takes longer", async () => {
  await connected();
  server.now.send({ type: "goaway", reconnect_in_ms: 100 });
  server.now.drop(4103);
  await clock.pass(249);
  assert.equal(server.connections.length, 1);
  await clock.pass(1);
  assert.equal(server.connections.length, 2);
});

test("4000–4099 still stops", async () => {
  const client = await connected();
  server.now.send({ type: "goaway", reconnect_in_ms: 100 });
  server.now.drop(4004);
  await clock.pass(60_000);
  assert.equal(client.state, "closed");
  assert.equal(server.connections.length, 1);
});

test("nobody shortens an announced delay, and it counts once", async () => {
  const page = browser();
  await connected();
  server.now.send({ type: "goaway", reconnect_in_ms: 3000 });
  server.now.drop(1001);
  page.dispatchEvent(new Event("online"));
  await clock.pass(2999);
  assert.equal(server.connections.length, 1);
  await clock.pass(1);
  assert.equal(server.connections.length, 2);
  server.now.drop(1006);
  page.dispatchEvent(new Event("online"));
  await clock.pass(1);
  assert.equal(server.connections.length, 3);
});

test("after a goaway back-off is as it was", async () => {
  const client = await connected();
  const states = record(client, "state");
  server.now.send({ type: "goaway", reconnect_in_ms: 100 });
  await clock.pass(200);
  assert.equal(client.state, "online");
  server.now.drop(1006);
  assert.equal(states.at(-1)[1].retryAt - Date.now(), 250);
});

// ---- silence
test("after two heartbeats without a frame the client asks, then gives up", async () => {
  const client = await connected();
  server.answers = false;
  await clock.pass(49_999);
  assert.equal(server.now.all("ping").length, 0);
  await clock.pass(1);
  assert.equal(server.now.all("ping").length, 1);
  await clock.pass(9_999);
  assert.equal(client.state, "online");
  await clock.pass(1);
  assert.equal(client.state, "reconnecting");
  assert.equal(server.connections[0].closedByClient, 1000, "the dead socket is not waited for");
  await clock.pass(250);
  assert.equal(client.state, "online");
});

test("any frame is a sign of life", async () => {
  const client = await connected();
  await clock.pass(40_000);
  server.now.send({ type: "message", room: "elsewhere", at: 1 });
  await clock.pass(49_999);
  assert.equal(server.now.all("ping").length, 0);
  await clock.pass(1);
  assert.equal(server.now.all("ping").length, 1);
  assert.equal(client.state, "online");
});

test("an idle connection that answers stays, for hours", async () => {
  const client = await connected();
  await clock.pass(3_600_000);
  assert.equal(client.state, "online");
  assert.equal(server.connections.length, 1);
  const pings = server.now.all("ping").length;
  assert.ok(pings >= 55 && pings <= 75, `${pings} pings in an hour`);
});

test("the server names the heartbeat", async () => {
  server.accepts = "open";
  const client = server.client();
  client.connect();
  await settle();
  server.now.welcome({ heartbeat_ms: 1000 });
  await clock.pass(2000);
  assert.equal(server.now.all("ping").length, 1);
});

/** A window and a document for the client to listen to. */
function browser() {
  const page = new EventTarget();
  const document = new EventTarget();
  page.listeners = 0;
  for (const target of [page, document]) {
    const { addEventListener, removeEventListener } = target;
    target.addEventListener = (...args) => (page.listeners++, addEventListener.apply(target, args));
    target.removeEventListener = (...args) => (page.listeners--, removeEventListener.apply(target, args));
  }
  document.visibilityState = "hidden";
  const navigator = { onLine: true };
  const globals = {
    addEventListener: page.addEventListener.bind(page),
    removeEventListener: page.removeEventListener.bind(page),
    document,
    navigator,
  };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  return Object.assign(page, { document, navigator });
}

// ---- the browser knows more
test("online again, or seen again: tries at once", async () => {
  for (const wake of ["online", "visibilitychange"]) {
    const page = browser();
    const client = await connected();
    server.accepts = false;
    server.now.drop(1006);
    for (let i = 0; i < 6; i++) {
      await clock.pass(30_000);
      server.now.drop(1006);
    }
    const made = server.connections.length;
    server.accepts = true;
    if (wake === "online") page.dispatchEvent(new Event("online"));
    page.document.dispatchEvent(new Event("visibilitychange")); // still hidden: means nothing
    await clock.pass(1);
    if (wake === "visibilitychange") {
      assert.equal(server.connections.length, made);
      page.document.visibilityState = "visible";
      page.document.dispatchEvent(new Event("visibilitychange"));
      await clock.pass(1);
    }
    assert.equal(server.connections.length, made + 1, wake);
    assert.equal(client.state, "online");
    client.close();
  }
});

test("connect() while waiting tries at once, unless the server named the delay", async () => {
  const client = await connected();
  draw = 0.999;
  server.now.drop(1006);
  const welcome = client.connect();
  await clock.pass(1);
  assert.equal((await welcome).user, "ada");
  server.now.send({ type: "goaway", reconnect_in_ms: 3000 });
  server.now.drop(1012);
  const later = client.connect();
  await clock.pass(2999);
  assert.equal(server.connections.length, 2);
  await clock.pass(1);
  await later;
});

test("without network the state says so, and trying goes on slowly", async () => {
  const page = browser();
  const client = await connected();
  server.accepts = false;
  page.navigator.onLine = false;
  server.now.drop(1006);
  assert.equal(client.state, "offline");
  await clock.pass(250);
  assert.equal(server.connections.length, 2, "a server on localhost may well be there");
  server.now.drop(1006);
  page.navigator.onLine = true;
  page.dispatchEvent(new Event("online"));
  assert.equal(client.state, "reconnecting");
  await clock.pass(1);
  assert.equal(server.connections.length, 3);
});

test("offline while waiting is told", async () => {
  const page = browser();
  const client = await connected();
  server.now.drop(1006);
  assert.equal(client.state, "reconnecting");
  page.dispatchEvent(new Event("offline"));
  assert.equal(client.state, "offline");
});

for (const event of ["online", "offline", "visibilitychange"]) {
  test(`${event} while online: the connection is put to the test`, async () => {
    const page = browser();
    const client = await connected();
    server.answers = false;
    page.document.visibilityState = "visible";
    const target = event === "visibilitychange" ? page.document : page;
    target.dispatchEvent(new Event(event));
    target.dispatchEvent(new Event(event));
    await clock.pass(4999);
    assert.equal(server.now.all("ping").length, 1, "once");
    assert.equal(client.state, "online");
    await clock.pass(1);
    assert.equal(client.state, "reconnecting");
  });
}

test("a closed client no longer listens", async () => {
  const page = browser();
  const client = await connected();
  assert.equal(page.listeners, 3);
  client.close();
  assert.equal(page.listeners, 0);
  page.dispatchEvent(new Event("online"));
  page.document.visibilityState = "visible";
  page.document.dispatchEvent(new Event("visibilitychange"));
  await clock.pass(1000);
  assert.equal(server.connections.length, 1);
});

// ---- an expiring session
test("is renewed with a fresh token, in place", async () => {
  const asked = [];
  const client = await connected({ token: (why) => (asked.push(why), `T${asked.length}`) });
  const heard = record(client, "expiring", "renewed");
  server.answer = (connection, request) => connection.reply(request, { user: "ada", expires_at: 99 });
  server.now.send({ type: "expiring", in_ms: 30_000 });
  await settle();
  assert.deepEqual(asked[1], { fresh: true, reason: "expiring" });
  assert.deepEqual(server.now.last("auth"), { type: "auth", token: "T2", ref: 1 });
  assert.deepEqual(heard.map(([event]) => event), ["expiring", "renewed"]);
  assert.equal(client.welcome.expires_at, 99);
  assert.equal(server.connections.length, 1);
});

test("is tried again until it is over", async () => {
  let calls = 0;
  const client = await connected({
    token: async () => {
      if (++calls === 2) throw new Error("login is down");
      return "T";
    },
  });
  const errors = record(client, "error");
  let refusals = 0;
  server.answer = (connection, request) =>
    refusals++ === 0 ? connection.refuse(request, "unavailable") : connection.reply(request, { user: "ada" });
  server.now.send({ type: "expiring", in_ms: 30_000 });
  await clock.pass(10_000);
  assert.equal(calls, 4, "connect, a failure, a refusal, a success");
  assert.deepEqual(errors.map(([, error]) => error.code), ["disconnected", "unavailable"]);
});

test("nobody signed in any more: nothing is sent, and 4101 ends it", async () => {
  let token = "T";
  const client = await connected({ token: () => token });
  token = null;
  server.now.send({ type: "expiring", in_ms: 1000 });
  await settle();
  assert.equal(server.now.all("auth").length, 0);
  server.now.drop(4101);
  await clock.pass(500);
  assert.equal(client.state, "closed");
  assert.equal(server.connections.length, 1);
});

test("by cookie the token callback still renews", async () => {
  await connected({ tokenVia: "cookie", token: () => "fresh" });
  server.now.send({ type: "expiring", in_ms: 1000 });
  await settle();
  assert.equal(server.now.last("auth").token, "fresh");
});
