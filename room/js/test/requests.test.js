import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { WardroomError } from "../wardroom.js";
import { Clock, Server } from "../testing/fake.js";

let clock;
let server;
beforeEach(() => {
  clock = new Clock();
  mock.method(Math, "random", () => 0.5);
  server = new Server();
});
afterEach(() => {
  clock.restore();
  mock.reset();
});

async function connected(options) {
  const client = server.client(options);
  await client.connect();
  return client;
}

test("refs count from 1 and never repeat, over connections too", async () => {
  const client = await connected();
  await client.call("a");
  await client.ping();
  server.now.drop();
  await clock.pass(500);
  await client.call("b");
  const refs = server.connections.flatMap(({ frames }) => frames.map(({ ref }) => ref));
  assert.deepEqual(refs, [1, 2, 3]);
});

test("each request has the form of the protocol", async () => {
  const client = await connected();
  const room = await client.join("r", { last: 5 });
  const settings = { permission: "private", roles: ["x"], invited: ["bob"], max_members: 3 };
  for (const [ask, frame] of [
    [() => client.call("vote", { n: 1 }), { type: "call", event: "vote", data: { n: 1 } }],
    [() => client.create("team:a", settings), { type: "create", room: "team:a", ...settings }],
    [() => client.update("team:a", { max_members: 4 }), { type: "update", room: "team:a", max_members: 4 }],
    [() => client.settings("team:a"), { type: "settings", room: "team:a" }],
    [() => client.delete("team:a"), { type: "delete", room: "team:a" }],
    [() => client.presence("away", { mood: "tea" }), { type: "presence", status: "away", meta: { mood: "tea" } }],
    [() => client.ping(), { type: "ping" }],
    [() => client.request("future", { x: 1 }), { type: "future", x: 1 }],
    [() => room.publish("hi", { event: "note", id: "k", echo: false }), { type: "message", room: "r", event: "note", id: "k", echo: false, data: "hi" }],
    [() => room.publish({ x: 1 }, { event: "typing", store: false }), { type: "message", room: "r", event: "typing", store: false, data: { x: 1 } }],
    [() => room.publish(undefined, { id: "n" }), { type: "message", room: "r", id: "n", data: null }],
    [() => room.edit(7, "new"), { type: "edit", room: "r", target: 7, data: "new" }],
    [() => room.redact(7), { type: "redact", room: "r", target: 7 }],
    [() => room.redact(7, { reason: "rude" }), { type: "redact", room: "r", target: 7, reason: "rude" }],
    [() => room.call("vote", 1), { type: "call", room: "r", event: "vote", data: 1 }],
    [() => room.history({ before: 9, limit: 20 }), { type: "history", room: "r", before: 9, limit: 20 }],
    [() => room.history({ after: 9 }), { type: "history", room: "r", after: 9 }],
    [() => room.presence("online"), { type: "presence", room: "r", status: "online" }],
    [() => room.settings(), { type: "settings", room: "r" }],
    [() => room.update({ permission: "public" }), { type: "update", room: "r", permission: "public" }],
    [() => room.delete(), { type: "delete", room: "r" }],
    ...["invite", "uninvite", "kick", "ban", "unban", "mute", "unmute"].flatMap((verb) => [
      [() => room[verb]("bob"), { type: verb, room: "r", user: "bob" }],
      [() => room[verb]("bob", { reason: "why", for_ms: 60 }), { type: verb, room: "r", user: "bob", reason: "why", for_ms: 60 }],
    ]),
    [() => room.leave(), { type: "leave", room: "r" }],
  ]) {
    await ask();
    const { ref, ...sent } = server.now.frames.at(-1);
    assert.deepEqual(sent, frame);
    assert.ok(Number.isInteger(ref) && ref > 0);
  }
  assert.deepEqual(server.now.frames[0], { type: "join", ref: 1, room: "r", last: 5 });
});

test("a reply resolves with its data, whatever the order", async () => {
  server.answers = false;
  const client = await connected();
  const [a, b] = [client.call("a"), client.call("b")];
  const [first, second] = server.now.frames;
  server.now.reply(second, { n: 2 });
  server.now.reply(second, { n: 3 });
  server.now.reply({ ref: 99 }, {});
  server.now.reply(first, null);
  assert.deepEqual(await b, { n: 2 });
  assert.equal(await a, null);
});

test("a refusal rejects with a WardroomError", async () => {
  server.answers = false;
  const client = await connected();
  const call = client.call("a");
  server.now.refuse(server.now.last("call"), "rate_limited", 1500);
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof WardroomError && error instanceof Error);
    const { name, code, message, retryAfter, id } = error;
    assert.deepEqual(
      { name, code, message, retryAfter, id },
      { name: "WardroomError", code: "rate_limited", message: "refused: rate_limited", retryAfter: 1500, id: "e1" },
    );
    return true;
  });
});

test("before connect() and after close() requests are refused", async () => {
  const client = server.client();
  await assert.rejects(client.call("x"), { code: "disconnected" });
  await assert.rejects(client.join("x"), { code: "disconnected" });
  await client.connect();
  client.close();
  await assert.rejects(client.call("x"), { code: "closed" });
  await assert.rejects(client.join("x"), { code: "closed" });
});

test("a request without an answer times out", async () => {
  server.answers = false;
  const client = await connected({ requestTimeout: 2000 });
  const call = client.call("x");
  call.catch(() => {});
  await clock.pass(1999);
  server.answers = true;
  await client.ping();
  await clock.pass(1);
  await assert.rejects(call, { code: "timeout" });
  server.now.reply(server.now.last("call"), "late");
});

test("data that JSON cannot carry rejects and sends nothing", async () => {
  const client = await connected();
  const circle = {};
  circle.self = circle;
  await assert.rejects(client.call("x", circle), TypeError);
  await assert.rejects(client.call("x", 1n), TypeError);
  assert.equal(server.now.frames.length, 0);
  await client.call("x", 1);
});

test("the outbox is bounded in requests", async () => {
  server.answers = false;
  const client = await connected({ maxPending: 2 });
  const a = client.call("a");
  client.call("b").catch(() => {});
  await assert.rejects(client.call("c"), { code: "outbox_full" });
  server.now.reply(server.now.frames[0], 1);
  await a;
  client.call("d").catch(() => {});
  assert.deepEqual(server.now.frames.map(({ event }) => event), ["a", "b", "d"]);
  client.close();
});

test("the outbox is bounded in bytes", async () => {
  server.answers = false;
  const client = await connected({ maxPendingBytes: 1000 });
  client.call("a", "x".repeat(800)).catch(() => {});
  await assert.rejects(client.call("b", "x".repeat(200)), { code: "outbox_full" });
  client.call("c", "x".repeat(50)).catch(() => {});
  assert.equal(server.now.frames.length, 2);
  server.now.reply(server.now.frames[0], 1);
  client.call("d", "x".repeat(800)).catch(() => {});
  assert.equal(server.now.frames.length, 3);
  client.close();
});

test("a full outbox does not stop what keeps the connection", async () => {
  const client = await connected({ maxPending: 1, token: "T" });
  server.answers = false;
  client.call("a").catch(() => {});
  const joined = client.join("r");
  server.answers = true;
  server.answer(server.now, server.now.last("join"));
  assert.equal((await joined).name, "r");
  client.close();
});

// ---- while the connection is lost
test("what is asked then waits for the next one", async () => {
  const client = await connected();
  server.now.drop();
  const [a, b] = [client.call("a"), client.call("b")];
  await clock.pass(250);
  await Promise.all([a, b]);
  assert.deepEqual(server.connections[1].frames.map(({ event }) => event), ["a", "b"]);
});

test("but not longer than requestTimeout", async () => {
  const client = await connected();
  server.accepts = false;
  server.now.drop();
  const call = client.call("a");
  call.catch(() => {});
  await clock.pass(15_000);
  await assert.rejects(call, { code: "timeout" });
  server.accepts = true;
  await clock.pass(60_000);
  assert.equal(client.state, "online");
  assert.equal(server.now.all("call").length, 0, "what was given up is not sent");
});

test("what is under way is rejected, unless asking twice is harmless", async () => {
  const client = await connected();
  const room = await client.join("r");
  server.answers = false;
  const rejected = [
    client.call("x"),
    client.create("team:x"),
    client.update("r", {}),
    client.delete("team:x"),
    client.presence("away"),
    room.call("x"),
    room.edit(1, "x"),
    room.redact(1),
    room.kick("bob"),
    room.publish("x", { store: false }),
  ];
  const repeated = [client.ping(), client.settings("r"), room.settings(), room.history(), room.fetchMembers()];
  server.answers = true;
  server.answer = (connection, request) =>
    connection.reply(request, request.type === "join" ? server.joinReply(request) : { members: [], messages: [] });
  server.now.drop(1012);
  for (const promise of rejected) await assert.rejects(promise, { code: "disconnected", closeCode: 1012 });
  await clock.pass(500);
  await Promise.all(repeated);
  assert.deepEqual(
    server.now.frames.map(({ type }) => type),
    ["join", "ping", "settings", "settings", "history", "members"],
    "the room first, then what is for it, in order",
  );
});

test("an ephemeral message is not kept", async () => {
  const client = await connected();
  const room = await client.join("r");
  server.now.drop();
  await assert.rejects(room.publish("x", { store: false }), { code: "disconnected" });
  await clock.pass(500);
  assert.equal(server.now.all("message").length, 0);
});
