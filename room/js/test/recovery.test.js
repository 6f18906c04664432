import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Clock, enter, LogServer, newLog, record, Server, settle } from "../testing/fake.js";

let clock;
let server;
let client;
beforeEach(async () => {
  clock = new Clock();
  mock.method(Math, "random", () => 0.5);
  server = new LogServer();
  client = server.client();
  await client.connect();
});
afterEach(() => {
  clock.restore();
  mock.reset();
});

const said = (heard) => heard.map(([event, { data, count }]) => (event === "message" ? data : count === undefined ? event : `${event} ${count}`));

test("what was missed is replayed, in order, once", async () => {
  server.publish("r", "old");
  const room = await enter(client, "r", { last: 10 });
  assert.deepEqual(room.messages.map(({ data }) => data), ["old"]);
  const heard = record(room, "message", "recovered", "gap");
  server.publish("r", "live");
  server.now.drop();
  assert.equal(room.joined, false);
  server.publish("r", "missed 1");
  server.publish("r", "missed 2");
  await clock.pass(500);
  assert.equal(room.joined, true);
  const join = server.now.last("join");
  assert.deepEqual(join.since, { epoch: "e1", offset: 2 });
  assert.equal(join.last, undefined);
  server.publish("r", "live again");
  assert.deepEqual(said(heard), ["live", "missed 1", "missed 2", "recovered 2", "live again"]);
  assert.deepEqual(heard.map(([, { replayed }]) => replayed), [undefined, true, true, undefined, undefined]);
  assert.deepEqual(room.messages.map(({ data }) => data), ["old"], "messages is what the first join brought");
});

test("an empty log is a position too", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message", "recovered", "gap");
  server.now.drop();
  server.publish("r", "first");
  await clock.pass(500);
  assert.deepEqual(server.now.last("join").since, { epoch: "e1", offset: 0 });
  assert.deepEqual(said(heard), ["first", "recovered 1"]);
});

test("a log that no longer reaches back is a gap, and gives what it has", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message", "recovered", "gap");
  server.publish("r", 1);
  server.now.drop();
  for (const n of [2, 3, 4, 5]) server.publish("r", n);
  server.trim("r", 2);
  await clock.pass(500);
  assert.deepEqual(said(heard), [1, "gap", 4, 5]);
  assert.deepEqual(heard[1][1], { since: { epoch: "e1", offset: 1 }, epoch: "e1", offset: 5 });
  assert.deepEqual(room.position, { epoch: "e1", offset: 5 });
});

test("a gap does not repeat what was seen", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message", "gap");
  server.publish("r", 1);
  server.joinReply = (request) => ({ ...LogServer.prototype.joinReply.call(server, request), recovered: false, messages: server.room("r").log });
  server.now.drop();
  server.publish("r", 2);
  await clock.pass(500);
  assert.deepEqual(said(heard), [1, "gap", 2]);
});

test("another epoch is a gap, and its offsets start anew", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message", "recovered", "gap");
  for (const n of [1, 2, 3]) server.publish("r", n);
  server.now.drop();
  server.rooms.set("r", newLog("e2"));
  server.publish("r", "new 1");
  await clock.pass(500);
  server.publish("r", "new 2");
  assert.deepEqual(said(heard), [1, 2, 3, "gap", "new 1", "new 2"]);
  assert.deepEqual(room.position, { epoch: "e2", offset: 2 });
});

// A server that was restarted goes on in a new epoch with what is left of the log.
function renew(epoch, left) {
  const log = server.room("r").log.slice(0, left).map((m) => ({ ...m, epoch }));
  server.rooms.set("r", { ...newLog(epoch), log });
  server.joinReply = (request) => {
    const { offset } = request.since;
    const goesOn = request.since.epoch === epoch || offset <= left;
    return LogServer.prototype.joinReply.call(server, { ...request, since: { offset, epoch: goesOn ? epoch : "lost" } });
  };
}

test("another epoch that goes on from ours is no gap", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message", "recovered", "gap");
  for (const n of [1, 2]) server.publish("r", n);
  server.now.drop();
  server.publish("r", 3);
  renew("e2", 3);
  server.publish("r", 4);
  await clock.pass(500);
  server.publish("r", 5);
  assert.deepEqual(said(heard), [1, 2, 3, 4, "recovered 2", 5]);
  assert.deepEqual(room.position, { epoch: "e2", offset: 5 });
  server.now.drop();
  await clock.pass(500);
  assert.deepEqual(server.now.last("join").since, { epoch: "e2", offset: 5 });
  assert.deepEqual(said(heard).slice(6), ["recovered 0"]);
});

for (const [kept, left, want] of [
  ["kept", 2, ["theirs", "next", "recovered 2", "later"]],
  ["lost", 1, ["theirs", "next", "recovered 2", "later"]],
]) {
  test(`an own message that is ${kept} when the epoch changes`, async () => {
    const room = await enter(client, "r");
    const heard = record(room, "message", "recovered", "gap");
    server.now.in.clear();
    server.publish("r", "theirs");
    await room.publish("mine", { echo: false }); // at offset 2, waiting for 1
    server.now.drop();
    renew("e2", left);
    server.publish("r", "next", { from: "ada", id: "of another tab" });
    await clock.pass(500);
    server.publish("r", "later");
    assert.deepEqual(said(heard), want);
  });
}

test("own messages of the old epoch mean nothing in the new one", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message");
  server.now.in.clear();
  server.publish("r", "held up");
  await room.publish("mine", { echo: false }); // at offset 2, waiting for 1
  server.now.drop();
  server.rooms.set("r", newLog("e2"));
  await clock.pass(500);
  server.publish("r", "new 1");
  server.publish("r", "new 2");
  assert.deepEqual(said(heard), ["new 1", "new 2"]);
});

test("a connection that is lost right after the first join", async () => {
  const room = await client.join("r"); // and not a turn more
  const heard = record(room, "message", "recovered");
  server.publish("r", 1);
  server.now.drop();
  server.answers = false;
  await settle();
  server.publish("r", 2);
  await clock.pass(250);
  const join = server.now.last("join");
  const reply = server.joinReply(join);
  server.now.in = new Set(["r"]);
  server.publish("r", 3);
  server.now.reply(join, reply);
  await settle();
  assert.deepEqual(said(heard), [1, 2, "recovered 2", 3]);
});

test("an epoch that changes on a live connection is a gap too", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message", "gap");
  server.publish("r", 1);
  server.now.send({ type: "message", room: "r", data: "new", at: 1, offset: 1, epoch: "e2" });
  assert.deepEqual(said(heard), [1, "gap", "new"]);
  assert.deepEqual(heard[1][1], { since: { epoch: "e1", offset: 1 }, epoch: "e2", offset: 1 });
});

test("a room without history: each reconnect is a gap", async () => {
  server = new Server();
  server.joinReply = ({ room }) => ({ room, permission: "public", members: [], recovered: false });
  client = server.client();
  await client.connect();
  const room = await enter(client, "fast");
  const heard = record(room, "gap", "recovered", "message");
  server.now.drop();
  await clock.pass(500);
  assert.equal(server.now.last("join").since, undefined);
  assert.deepEqual(said(heard), ["gap"]);
  assert.equal(heard[0][1].since, null);
  server.now.send({ type: "message", room: "fast", data: "x", at: 1 });
  server.now.send({ type: "message", room: "fast", data: "x", at: 1 });
  assert.deepEqual(said(heard), ["gap", "x", "x"], "nothing to tell duplicates by");
});

test("a message that comes twice is heard once", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message");
  const message = { type: "message", room: "r", data: "x", at: 1, offset: 1, epoch: "e1" };
  server.now.send(message);
  server.now.send(message);
  server.now.send({ ...message, offset: undefined, epoch: undefined, data: "ephemeral" });
  assert.deepEqual(said(heard), ["x", "ephemeral"]);
});

test("frames that overtake the join reply come after the replay", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message", "recovered", "joined");
  server.now.drop();
  server.publish("r", 1);
  server.answers = false;
  await clock.pass(250);
  const join = server.now.last("join");
  const reply = server.joinReply(join);
  server.now.in = new Set(["r"]);
  server.publish("r", 2);
  server.now.send({ type: "user_joined", room: "r", user: "bob", at: 1 });
  assert.deepEqual(heard, []);
  server.now.reply(join, reply);
  await settle();
  assert.deepEqual(said(heard), [1, "recovered 1", 2, "joined"]);
  assert.ok(room.members.has("bob"));
});

test("frames that overtake the first join reply are in messages", async () => {
  server.answers = false;
  server.publish("r", 1);
  const joined = client.join("r", { last: 5 });
  server.now.in = new Set(["r"]);
  server.publish("r", 2);
  server.answer(server.now, server.now.last("join"));
  const room = await joined;
  assert.deepEqual(room.messages.map(({ data }) => data), [1, 2]);
  assert.equal(room.position.offset, 2);
});

test("members are listed anew", async () => {
  const room = await enter(client, "r");
  server.now.send({ type: "user_joined", room: "r", user: "bob", at: 1 });
  server.now.drop();
  assert.ok(room.members.has("bob"), "the last known ones meanwhile");
  const heard = record(room, "members");
  await clock.pass(500);
  assert.deepEqual([...room.members.keys()], ["ada"]);
  assert.equal(heard.length, 1);
});

test("changes that were missed are replayed as changes", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "edited", "redacted", "message", "recovered");
  server.joinReply = (request) => ({
    ...LogServer.prototype.joinReply.call(server, request),
    offset: 3,
    recovered: true,
    messages: [
      { target: 7, data: "new", at: 1, offset: 1, epoch: "e1" },
      { target: 8, redacted: true, at: 1, offset: 2, epoch: "e1" },
      { event: "message", redacted: true, at: 1, offset: 3, epoch: "e1" },
    ],
  });
  server.now.drop();
  await clock.pass(500);
  assert.deepEqual(heard.map(([event, { target, replayed }]) => [event, target, replayed]), [
    ["edited", 7, true],
    ["redacted", 8, true],
    ["message", undefined, true],
    ["recovered", undefined, undefined],
  ]);
});

test("own messages that are not echoed count as seen", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message");
  await room.publish("mine", { echo: false });
  assert.equal(room.position.offset, 1);
  await room.publish("mine too", { echo: false });
  server.now.drop();
  await clock.pass(500);
  assert.equal(server.now.last("join").since.offset, 2);
  assert.deepEqual(heard, []);
});

test("but not before what others said before them", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message");
  server.now.in.clear(); // the messages of others are held up on their way
  server.publish("r", "theirs");
  await room.publish("mine", { echo: false });
  assert.equal(room.position.offset, 0);
  server.now.send({ type: "message", room: "r", ...server.room("r").log[0] });
  assert.equal(room.position.offset, 2);
  server.now.send({ type: "message", room: "r", ...server.room("r").log[1] });
  assert.deepEqual(said(heard), ["theirs"]);
});

test("an unechoed message whose reply was lost is not replayed to its author", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message", "recovered");
  const answer = server.answer.bind(server);
  server.answer = (connection, { id, data }) => server.publish("r", data, { from: "ada", id });
  server.now.in.clear();
  const published = room.publish("mine", { echo: false });
  await settle();
  server.answer = answer;
  server.now.drop();
  await clock.pass(500);
  assert.equal((await published).duplicate, true);
  assert.deepEqual(said(heard), ["recovered 1"]);
});

test("a rejoin that is refused for good is a removal", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "removed");
  server.answer = (connection, request) => connection.refuse(request, "forbidden");
  server.now.drop();
  const published = room.publish("waiting");
  published.catch(() => {});
  await clock.pass(500);
  assert.deepEqual(heard[0][1], { type: "removed", room: "r", code: "forbidden", reason: "refused: forbidden" });
  await assert.rejects(published, { code: "not_member" });
  assert.equal(client.rooms.size, 0);
  assert.equal(client.state, "online");
});

for (const code of ["rate_limited", "unavailable", "timeout", "internal"]) {
  test(`a rejoin that is refused with ${code} is tried again`, async () => {
    const room = await enter(client, "r");
    const heard = record(room, "removed", "recovered");
    const answer = server.answer.bind(server);
    let refusals = 0;
    server.answer = (connection, request) =>
      request.type === "join" && refusals++ < 2 ? connection.refuse(request, code, 3000) : answer(connection, request);
    server.now.drop();
    await clock.pass(250 + 5999);
    assert.equal(server.now.all("join").length, 2, "not before retry_after");
    await clock.pass(1);
    assert.equal(server.now.all("join").length, 3);
    assert.deepEqual(said(heard), ["recovered 0"]);
  });
}

test("many rooms are rejoined a few at a time", async () => {
  const names = Array.from({ length: 20 }, (_, i) => `room:${i}`);
  await Promise.all(names.map((name) => client.join(name)));
  server.answers = false;
  server.now.drop();
  await clock.pass(500);
  const joins = server.now.all("join");
  assert.equal(joins.length, 4);
  server.answers = true;
  for (const join of joins) server.answer(server.now, join);
  await settle();
  assert.deepEqual(server.now.all("join").map(({ room }) => room), names, "in the order in which they were joined");
  assert.ok([...client.rooms.values()].every((room) => room.joined));
});

test("a connection that is lost during the rejoin loses nothing", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message", "gap");
  server.now.drop();
  server.publish("r", 1);
  server.answers = false;
  await clock.pass(500);
  const early = server.now;
  early.send({ type: "message", room: "r", data: "overtook", at: 1, offset: 9, epoch: "e1" });
  early.drop();
  server.answers = true;
  await clock.pass(1000);
  const { onmessage, onclose } = early.socket;
  onmessage?.({ data: JSON.stringify({ type: "message", room: "r", data: "from the grave", at: 1, offset: 9, epoch: "e1" }) });
  onclose?.({ code: 4004, reason: "" });
  assert.equal(client.state, "online");
  assert.deepEqual(said(heard), [1]);
});

test("presence is restored before the rooms are entered, that of a room after", async () => {
  const room = await enter(client, "r");
  await client.presence("offline", { hidden: true });
  await room.presence("away");
  server.now.drop();
  await clock.pass(500);
  assert.deepEqual(
    server.now.frames.map(({ type, room: name, status, meta }) => [type, name, status, meta]),
    [
      ["presence", undefined, "offline", { hidden: true }],
      ["join", "r", undefined, undefined],
      ["presence", "r", "away", undefined],
    ],
  );
});

test("a refused presence is not restored", async () => {
  server.answer = (connection, request) => connection.refuse(request, "unsupported_call");
  await assert.rejects(client.presence("away"), { code: "unsupported_call" });
  server.now.drop();
  await clock.pass(500);
  assert.equal(server.now.frames.length, 0);
});

test("after a stop, connect() takes the rooms up again", async () => {
  const room = await enter(client, "r");
  const heard = record(room, "message", "recovered");
  server.now.drop(4009);
  assert.equal(client.state, "closed");
  server.publish("r", "missed");
  await client.connect();
  await settle();
  assert.equal(room.joined, true);
  assert.deepEqual(said(heard), ["missed", "recovered 1"]);
});
