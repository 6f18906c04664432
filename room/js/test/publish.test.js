// Publishing in rooms with history, where the server recognises what it has.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Clock, enter, LogServer, Server, settle } from "../testing/fake.js";

let clock;
let server;
let client;
let room;
beforeEach(async () => {
  clock = new Clock();
  mock.method(Math, "random", () => 0.5);
  server = new LogServer();
  client = server.client();
  await client.connect();
  room = await enter(client, "r");
});
afterEach(() => {
  clock.restore();
  mock.reset();
});

test("is given an idempotency key, which the result repeats", async () => {
  const result = await room.publish("x");
  const { id } = server.now.last("message");
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.deepEqual(result, { offset: 1, epoch: "e1", at: Date.now(), id });
  assert.equal((await room.publish("x", { id: "mine" })).id, "mine");
  assert.notEqual((await room.publish("x")).id, id);
});

test("is given one on pages without https too", async (t) => {
  t.mock.method(globalThis.crypto, "randomUUID");
  Object.defineProperty(globalThis.crypto, "randomUUID", { value: undefined, configurable: true });
  t.after(() => delete globalThis.crypto.randomUUID);
  assert.match((await room.publish("x")).id, /^[0-9a-f]{32}$/);
});

test("is sent again after the rejoin, in order, and stored once", async () => {
  // The first is stored but its reply is lost; the second never arrives.
  const answer = server.answer.bind(server);
  server.answer = (connection, request) => {
    if (request.data === "one") server.publish("r", "one", { from: "ada", id: request.id });
  };
  const heard = [];
  room.on("message", (m) => heard.push(m.data));
  const published = ["one", "two"].map((data) => room.publish(data));
  await settle();
  server.answer = answer;
  server.now.drop();
  published.push(room.publish("three"));
  await clock.pass(500);
  const results = await Promise.all(published);
  assert.deepEqual(results.map(({ offset, duplicate }) => [offset, duplicate]), [[1, true], [2, undefined], [3, undefined]]);
  assert.deepEqual(server.room("r").log.map(({ data }) => data), ["one", "two", "three"]);
  assert.deepEqual(heard, ["one", "two", "three"]);
  const [before, after] = server.connections.map((connection) => connection.all("message"));
  assert.deepEqual(after.slice(0, 2), before, "the same frames, ref and key and all");
  assert.equal(server.now.frames[0].type, "join");
});

test("waits for the connection as long as it takes", async () => {
  server.accepts = false;
  server.now.drop();
  const published = room.publish("x");
  await clock.pass(120_000);
  server.accepts = true;
  await clock.pass(30_000);
  assert.equal((await published).offset, 1);
});

test("times out when the server has it and does not answer", async () => {
  server.answers = false;
  const published = room.publish("x");
  published.catch(() => {});
  await clock.pass(15_000);
  await assert.rejects(published, { code: "timeout" });
});

test("is not sent for ever", async () => {
  const answer = server.answer.bind(server);
  server.answer = (connection, request) => {
    if (request.type === "message") connection.drop(1011);
    else answer(connection, request);
  };
  const published = room.publish("poison");
  published.catch(() => {});
  await clock.pass(120_000);
  await assert.rejects(published, { code: "disconnected", closeCode: 1011 });
  assert.equal(server.connections.flatMap((connection) => connection.all("message")).length, 5);
  assert.equal(client.state, "online");
});

test("that is too large for the server is not sent again", async () => {
  const answer = server.answer.bind(server);
  server.answer = (connection, request) => {
    if (request.data?.length > 100) connection.drop(1009);
    else if (request.type !== "message" || connection !== server.connections[0]) answer(connection, request);
  };
  const [small, large] = [room.publish("small"), room.publish("x".repeat(200))];
  await assert.rejects(large, { code: "too_large", closeCode: 1009 });
  await clock.pass(500);
  assert.equal((await small).offset, 1);
});

test("is rejected when the server says to stay away", async () => {
  server.answers = false;
  const published = room.publish("x");
  server.now.drop(4004);
  await assert.rejects(published, { code: "revoked" });
});

test("is rejected when the room is left meanwhile, if it was not sent", async () => {
  const sent = room.publish("sent");
  server.now.drop();
  await assert.doesNotReject(Promise.race([sent, settle()]));
  const waiting = room.publish("waiting");
  room.leave();
  await assert.rejects(waiting, { code: "not_member" });
  await assert.rejects(sent, { code: "not_member" });
  await assert.rejects(room.publish("later"), { code: "not_member" });
});

test("without history a publish is sent at most once", async () => {
  server = new Server();
  server.joinReply = ({ room }) => ({ room, permission: "public", members: [], recovered: false });
  client = server.client();
  await client.connect();
  room = await client.join("fast");
  assert.equal(room.position, null);
  await room.publish("x");
  assert.equal(server.now.last("message").id, undefined);
  server.answers = false;
  const published = room.publish("y", { id: "k" });
  server.now.drop();
  await assert.rejects(published, { code: "disconnected" });
  server.answers = true;
  const waiting = room.publish("z");
  await clock.pass(500);
  await waiting;
  assert.deepEqual(server.now.all("message").map(({ data }) => data), ["z"]);
});
