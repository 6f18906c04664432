import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Client } from "../wardroom.js";
import { Clock, record, Server, settle } from "../testing/fake.js";

let clock;
let server;
beforeEach(() => {
  clock = new Clock();
  server = new Server();
});
afterEach(() => {
  clock.restore();
  mock.reset();
});

test("resolves with the welcome", async () => {
  const client = server.client({ token: "T" });
  assert.equal(client.state, "idle");
  const welcome = await client.connect();
  assert.equal(welcome.user, "ada");
  assert.equal(client.user, "ada");
  assert.equal(client.state, "online");
  assert.equal(await client.connect(), welcome, "connecting twice is one connection");
  assert.equal(server.connections.length, 1);
  assert.equal(server.now.socket.binaryType, "arraybuffer");
});

for (const [tokenVia, protocols, url] of [
  [undefined, ["wardroom.v1.json", "bearer.a.b-c_d"], "ws://chat.test/ws"],
  ["subprotocol", ["wardroom.v1.json", "bearer.a.b-c_d"], "ws://chat.test/ws"],
  ["query", ["wardroom.v1.json"], "ws://chat.test/ws?token=a.b-c_d"],
  ["cookie", ["wardroom.v1.json"], "ws://chat.test/ws"],
  ["frame", ["wardroom.v1.json"], "ws://chat.test/ws"],
]) {
  test(`token via ${tokenVia ?? "the default"}`, async () => {
    const client = server.client({ tokenVia, token: async () => "a.b-c_d" });
    await client.connect();
    assert.deepEqual(server.now.protocols, protocols);
    assert.equal(server.now.url, url);
    assert.deepEqual(
      server.now.frames,
      tokenVia === "frame" ? [{ type: "auth", token: "a.b-c_d", ref: 1 }] : [],
      "only then a first frame",
    );
  });
}

test("with the token in a frame it is online only when let in and welcomed", async () => {
  server.answers = false;
  server.accepts = "open";
  const client = server.client({ tokenVia: "frame", token: "T" });
  client.connect();
  await settle();
  server.now.reply(server.now.last("auth"), { user: "ada" });
  await settle();
  assert.equal(client.state, "connecting");
  server.now.welcome();
  assert.equal(client.state, "online");
});

test("a token that is refused in a frame leaves the decision to the close code", async () => {
  server.answers = false;
  server.accepts = "open";
  const client = server.client({ tokenVia: "frame", token: "T" });
  const connected = client.connect();
  await settle();
  server.now.refuse(server.now.last("auth"), "unauthenticated");
  await settle();
  server.now.drop(4001);
  await assert.rejects(connected, { code: "unauthenticated", closeCode: 4001 });
  assert.equal(client.state, "closed");
});

test("addresses are relative to the page, and http means ws", async (t) => {
  globalThis.location = { href: "https://app.example.com/room/7?x#y" };
  t.after(() => delete globalThis.location);
  for (const [given, used] of [
    ["/ws", "wss://app.example.com/ws"],
    ["ws", "wss://app.example.com/room/ws"],
    ["http://localhost:8080/ws#frag", "ws://localhost:8080/ws"],
    [new URL("wss://other.test/ws?v=1"), "wss://other.test/ws?v=1"],
  ]) {
    await new Client(given, { WebSocket: server.WebSocket }).connect();
    assert.equal(server.now.url, used);
  }
});

test("wrong use is told at once", () => {
  assert.throws(() => new Client("ws://x", { tokenVia: "header", WebSocket: server.WebSocket }), /tokenVia/);
  assert.throws(() => new Client("not a url"), TypeError);
  assert.throws(() => server.client().on("state"), TypeError);
});

test("the token callback hears why it is asked", async () => {
  const asked = [];
  const client = server.client({ token: (why) => (asked.push(why), "T") });
  await client.connect();
  server.now.drop(1006);
  await clock.pass(500);
  assert.deepEqual(asked, [
    { fresh: false, reason: "connect" },
    { fresh: false, reason: "reconnect" },
  ]);
});

test("nobody signed in: no connection is made", async () => {
  for (const nothing of [null, undefined, ""]) {
    const client = server.client({ token: async () => nothing });
    await assert.rejects(client.connect(), { name: "WardroomError", code: "unauthenticated" });
    assert.equal(client.state, "closed");
  }
  assert.equal(server.connections.length, 0);
});

test("a token callback that fails is a failed attempt", async () => {
  let calls = 0;
  const client = server.client({
    token: async () => {
      if (++calls < 3) throw new Error("login is down");
      return "T";
    },
  });
  const errors = record(client, "error");
  const connected = client.connect();
  await clock.pass(3000);
  await connected;
  assert.equal(calls, 3);
  assert.equal(errors.length, 2);
  assert.equal(errors[0][1].cause.message, "login is down");
});

test("a token that cannot be a subprotocol is an error, not a loop", async () => {
  const client = server.client({ token: "has spaces" });
  await assert.rejects(client.connect(), { code: "bad_request" });
  assert.equal(client.state, "closed");
});

for (const phase of ["token", "open", "welcome"]) {
  test(`an attempt that hangs (${phase}) is given up after connectTimeout`, async () => {
    mock.method(Math, "random", () => 0);
    server.accepts = phase === "welcome" ? "open" : false;
    let asked = 0;
    const token = () => (++asked === 1 && phase === "token" ? new Promise(() => {}) : "T");
    const client = server.client({ token, connectTimeout: 4000 });
    client.connect();
    await clock.pass(3999);
    assert.equal(asked, 1);
    const first = server.now;
    await clock.pass(2);
    assert.equal(asked, 2, "tried again");
    if (first) assert.equal(first.closedByClient, 1000);
    server.accepts = true;
    await clock.pass(4500);
    assert.equal(client.state, "online");
  });
}

test("close() while connecting rejects, and nothing goes on", async () => {
  server.accepts = false;
  const client = server.client({ token: "T" });
  const connected = client.connect();
  const joined = client.join("lobby");
  await settle();
  client.close();
  await assert.rejects(connected, { code: "closed" });
  await assert.rejects(joined, { code: "closed" });
  assert.equal(server.now.closedByClient, 1000);
  await clock.pass(60_000);
  assert.equal(server.connections.length, 1);
  assert.equal(client.state, "closed");
});

test("close() during the token callback: no connection is made", async () => {
  let give;
  const client = server.client({ token: () => new Promise((resolve) => (give = resolve)) });
  const connected = client.connect();
  client.close();
  give("T");
  await assert.rejects(connected, { code: "closed" });
  await settle();
  assert.equal(server.connections.length, 0);
});

test("close() from any listener is obeyed", async () => {
  for (const state of ["connecting", "online", "reconnecting"]) {
    const client = server.client();
    client.on("state", (change) => change.state === state && client.close());
    const before = server.connections.length;
    const connected = client.connect();
    connected.catch(() => {});
    await settle();
    assert.equal(server.connections.length - before, state === "connecting" ? 0 : 1);
    if (state === "reconnecting") server.now.drop();
    const made = server.connections.length;
    await clock.pass(60_000);
    assert.equal(client.state, "closed", state);
    assert.equal(server.connections.length, made, state);
  }
});

test("a listener that throws harms nobody", async (t) => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  t.after(() => delete globalThis.reportError);
  const client = server.client();
  client.on("welcome", () => {
    throw new Error("page bug");
  });
  const heard = record(client, "welcome");
  await client.connect();
  assert.equal(heard.length, 1);
  assert.deepEqual(reported, ["page bug"]);
});

test("state changes are told in order, with what a countdown needs", async () => {
  mock.method(Math, "random", () => 0.5);
  const client = server.client();
  const heard = record(client, "state");
  await client.connect();
  server.now.drop(1012, "restart");
  const waiting = heard.at(-1)[1];
  assert.equal(waiting.retryAt, Date.now() + 250);
  assert.equal(waiting.error.code, "disconnected");
  assert.equal(waiting.error.message, "restart");
  assert.equal(waiting.error.closeCode, 1012);
  await clock.pass(250);
  client.close();
  assert.deepEqual(
    heard.map(([, { previous, state, retryAt }]) => [previous, state, retryAt !== undefined]),
    [
      ["idle", "connecting", false],
      ["connecting", "online", false],
      ["online", "reconnecting", true],
      ["reconnecting", "reconnecting", false],
      ["reconnecting", "online", false],
      ["online", "closed", false],
    ],
  );
});

test("a frame that is no envelope is told, and the connection lives", async () => {
  const client = server.client();
  const errors = record(client, "error");
  await client.connect();
  for (const data of ["{", "null", "[]", '{"type":1}', new ArrayBuffer(1), new Uint8Array([0, 9, 1]).buffer]) {
    server.now.socket.onmessage({ data });
  }
  assert.deepEqual(errors.map(([, error]) => error.code), Array(6).fill("bad_request"));
  server.now.send({ type: "from_the_future", room: "x" });
  server.now.send({ type: "from_the_future" });
  assert.equal(client.state, "online");
});

test("a second welcome is none", async () => {
  const client = server.client();
  const heard = record(client, "welcome");
  await client.connect();
  server.now.welcome({ user: "eve" });
  assert.equal(heard.length, 1);
  assert.equal(client.user, "ada");
});

test("an error frame without a request is an event", async () => {
  const client = server.client();
  const errors = record(client, "error");
  await client.connect();
  server.now.send({ type: "error", error: { code: "rate_limited", message: "slow down", retry_after_ms: 40 } });
  assert.equal(errors[0][1].code, "rate_limited");
  assert.equal(errors[0][1].retryAfter, 40);
});
