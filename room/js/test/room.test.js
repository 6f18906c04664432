import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Room } from "../wardroom.js";
import { Clock, enter, record, Server, settle } from "../testing/fake.js";

let clock;
let server;
let client;
let room;
beforeEach(async () => {
  clock = new Clock();
  mock.method(Math, "random", () => 0.5);
  server = new Server();
  client = server.client();
  await client.connect();
  room = await enter(client, "lobby");
});
afterEach(() => {
  clock.restore();
  mock.reset();
});

const send = (type, fields) => server.now.send({ type, room: "lobby", at: 5, ...fields });

test("joining gives a Room with what the reply said", async () => {
  server.joinReply = () => ({
    room: "team:a",
    permission: "private",
    members: [{ user: "bob", name: "Bob", status: "away", meta: { x: 1 }, since: 3, connections: 2 }],
    next: "cursor",
    epoch: "e9",
    offset: 7,
    recovered: false,
    messages: [
      { event: "message", data: "hi", from: "bob", at: 4, offset: 6, epoch: "e9" },
      { event: "message", from: "bob", at: 4, offset: 7, epoch: "e9", redacted: true },
    ],
  });
  const joined = await client.join("team:a", { last: 2 });
  assert.ok(joined instanceof Room);
  assert.equal(joined.name, "team:a");
  assert.equal(joined.permission, "private");
  assert.equal(joined.joined, true);
  assert.deepEqual([...joined.members.keys()], ["bob"]);
  assert.equal(joined.membersNext, "cursor");
  assert.deepEqual(joined.position, { epoch: "e9", offset: 7 });
  assert.equal(joined.messages.length, 2);
  assert.deepEqual(joined.messages[0], { room: "team:a", event: "message", data: "hi", from: "bob", at: 4, offset: 6, epoch: "e9" });
  assert.equal(joined.messages[1].redacted, true);
  assert.deepEqual([...client.rooms.keys()], ["lobby", "team:a"]);
});

test("joining twice gives the same Room, at any moment", async () => {
  const [a, b] = [client.join("x"), client.join("x")];
  assert.equal(await a, await b);
  assert.equal(await client.join("x"), await a);
  assert.equal(server.now.all("join").filter((frame) => frame.room === "x").length, 1);
});

test("a refused join rejects, and may be tried again", async () => {
  server.answer = (connection, request) => connection.refuse(request, "forbidden");
  await assert.rejects(client.join("secret"), { code: "forbidden" });
  assert.equal(client.rooms.has("secret"), false);
  server.answer = Server.prototype.answer;
  await client.join("secret");
});

test("a first join that a lost connection cut off is made again", async () => {
  server.answers = false;
  const joined = client.join("late");
  await settle();
  server.now.drop();
  server.answers = true;
  await clock.pass(500);
  assert.equal((await joined).joined, true);
});

test("a join without an answer times out and is taken back", async () => {
  server.answers = false;
  const joined = client.join("slow");
  joined.catch(() => {});
  await clock.pass(15_000);
  await assert.rejects(joined, { code: "timeout" });
  assert.equal(server.now.last("leave").room, "slow");
});

test("rooms joined before the connection is there are joined with it, however long that takes", async () => {
  server.accepts = false;
  const other = server.client();
  other.connect();
  const joined = other.join("lobby");
  await clock.pass(120_000);
  server.accepts = true;
  await clock.pass(60_000);
  assert.equal((await joined).name, "lobby");
});

test("published messages arrive by event, and cannot pass for the room's own", async () => {
  const own = ["joined", "left", "members", "presence", "removed", "deleted", "updated", "gap", "recovered", "edited", "redacted"];
  const heard = record(room, "message", "event:typing", ...own, ...own.map((name) => `event:${name}`));
  send("message", { event: "message", data: 1, from: "bob" });
  send("message", { data: 2 });
  send("message", { event: "typing", data: 3 });
  for (const event of own) send("message", { event, data: event });
  send("message", { event: "event:typing", data: "nested" });
  assert.deepEqual(
    heard.map(([event, { data }]) => [event, data]),
    [["message", 1], ["message", 2], ["event:typing", 3], ...own.map((name) => [`event:${name}`, name])],
  );
  assert.equal(heard[0][1].from, "bob");
  assert.equal(heard[0][1].room, "lobby");
});

test("on gives back its off, and off works while events fire", () => {
  const heard = [];
  const stop = room.on("message", ({ data }) => {
    heard.push(data);
    stop();
  });
  const second = ({ data }) => heard.push(-data);
  room.on("message", second);
  send("message", { data: 1 });
  send("message", { data: 2 });
  room.off("message", second);
  room.off("nothing", second);
  send("message", { data: 3 });
  assert.deepEqual(heard, [1, -1, -2]);
});

test("members are kept up to date", async () => {
  const heard = record(room, "joined", "left", "presence", "members");
  send("user_joined", { user: "bob", name: "Bob" });
  assert.deepEqual(room.members.get("bob"), { user: "bob", name: "Bob", status: "online", since: 5, connections: 1 });
  send("presence_update", { user: "bob", status: "away", meta: { mood: "tea" } });
  assert.equal(room.members.get("bob").status, "away");
  assert.deepEqual(room.members.get("bob").meta, { mood: "tea" });
  assert.equal(room.members.get("bob").name, "Bob");
  send("presence_update", { user: "nobody", status: "away" });
  assert.equal(room.members.has("nobody"), false);
  send("user_left", { user: "bob", name: "Bob", reason: "disconnected" });
  assert.deepEqual([...room.members.keys()], ["ada"]);
  assert.deepEqual(
    heard.map(([event]) => event),
    ["joined", "members", "presence", "members", "presence", "members", "left", "members"],
  );
  assert.equal(heard[6][1].reason, "disconnected");
});

test("presence without a room counts in every room where the user is", async () => {
  const other = await enter(client, "other");
  send("user_joined", { user: "bob" });
  const heard = [];
  client.on("presence", ({ user, status }) => heard.push([user, status]));
  room.on("presence", ({ room: name, status }) => heard.push([name, status]));
  other.on("presence", () => heard.push("wrong"));
  server.now.send({ type: "presence_update", user: "bob", status: "away", at: 5 });
  assert.deepEqual(heard, [["bob", "away"], ["lobby", "away"]]);
  assert.equal(room.members.get("bob").status, "away");
});

test("pages of members are merged", async () => {
  server.joinReply = (request) => ({ ...Server.prototype.joinReply(request), next: "c1" });
  const big = await client.join("big");
  const pages = { c1: { members: [{ user: "bob" }], next: "c2" }, c2: { members: [{ user: "cleo" }] } };
  server.answer = (connection, request) => connection.reply(request, pages[request.after]);
  while (big.membersNext) await big.fetchMembers({ after: big.membersNext, limit: 1 });
  assert.deepEqual([...big.members.keys()], ["ada", "bob", "cleo"]);
  assert.equal(big.membersNext, undefined);
  pages[undefined] = { members: [{ user: "ada" }], next: "c0" };
  await big.fetchMembers({ limit: 1 });
  assert.equal(big.membersNext, undefined, "a look at the first page does not make the list incomplete");
});

test("bytes travel as bytes, both ways", async () => {
  const payload = Uint8Array.of(0, 255, 10, 13);
  const padded = Uint8Array.of(9, ...payload, 9);
  for (const data of [payload, payload.slice().buffer, padded.subarray(1, 5), new DataView(padded.buffer, 1, 4)]) {
    await room.publish(data, { event: "file", id: "k" });
    const { ref, payload: sent, ...header } = server.now.last("message");
    assert.deepEqual(header, { type: "message", room: "lobby", event: "file", id: "k" });
    assert.deepEqual([...sent], [...payload]);
  }
  const heard = record(room, "event:file");
  server.now.sendBinary({ type: "message", room: "lobby", event: "file", from: "bob", at: 6, offset: 1, epoch: "e1" }, payload);
  assert.ok(heard[0][1].data instanceof Uint8Array);
  assert.deepEqual([...heard[0][1].data], [...payload]);
  assert.equal(heard[0][1].from, "bob");
  assert.deepEqual(room.position, { epoch: "e1", offset: 1 });
  server.now.send({ type: "message", room: "lobby", event: "file", data: "AP8KDQ==", encoding: "base64", at: 7 });
  assert.deepEqual([...heard[1][1].data], [...payload], "also when their header did not fit");
});

test("a binary header beyond its length field is refused", async () => {
  await assert.rejects(room.publish(new Uint8Array(1), { event: "x".repeat(70_000) }), { code: "too_large" });
});

test("history gives messages as they were live", async () => {
  server.answer = (connection, request) =>
    connection.reply(request, {
      messages: [
        { event: "message", data: "text", at: 1, offset: 1, epoch: "e1" },
        { event: "file", data: "AP8KDQ==", encoding: "base64", at: 2, offset: 2, epoch: "e1" },
      ],
      epoch: "e1",
      more: true,
    });
  const page = await room.history({ before: 3 });
  assert.equal(page.more, true);
  assert.equal(page.epoch, "e1");
  assert.deepEqual(page.messages[0], { room: "lobby", event: "message", data: "text", at: 1, offset: 1, epoch: "e1" });
  assert.deepEqual([...page.messages[1].data], [0, 255, 10, 13]);
  assert.equal("encoding" in page.messages[1], false);
  assert.equal(room.position.offset, 0, "looking back moves nothing");
});

test("changes to messages are events and move the position", async () => {
  const heard = record(room, "edited", "redacted", "message");
  send("message", { data: "a", offset: 1, epoch: "e1" });
  send("message_edited", { target: 1, data: "b", from: "bob", offset: 2, epoch: "e1" });
  send("message_redacted", { target: 1, from: "bob", offset: 3, epoch: "e1" });
  send("message_edited", { target: 1, data: "b", from: "bob", offset: 2, epoch: "e1" });
  assert.deepEqual(heard.map(([event, { target }]) => [event, target]), [["message", undefined], ["edited", 1], ["redacted", 1]]);
  assert.equal(heard[1][1].data, "b");
  assert.equal(room.position.offset, 3);
});

test("settings changes are told", () => {
  const heard = record(room, "updated");
  send("room_updated", { permission: "private", owner: "bob", max_members: 3 });
  assert.equal(heard[0][1].max_members, 3);
  assert.equal(room.permission, "private");
});

for (const [frame, event, detail] of [
  [{ type: "removed", code: "banned", reason: "spam" }, "removed", { code: "banned", reason: "spam" }],
  [{ type: "room_deleted" }, "deleted", {}],
]) {
  test(`${frame.type} ends the membership`, async () => {
    const heard = record(room, "removed", "deleted", "message");
    server.answers = false;
    const deleting = room.delete(); // under way: its reply still counts
    send(frame.type, frame);
    assert.equal(heard[0][0], event);
    assert.equal(heard[0][1].code, detail.code ?? "forbidden");
    assert.equal(heard[0][1].reason, detail.reason);
    assert.equal(room.joined, false);
    assert.equal(client.rooms.has("lobby"), false);
    server.now.reply(server.now.last("delete"), { room: "lobby" });
    assert.deepEqual(await deleting, { room: "lobby" });
    await assert.rejects(room.publish("x"), { code: "not_member" });
    send("message", { data: "late" });
    assert.equal(heard.length, 1);
    server.now.drop();
    server.answers = true;
    await clock.pass(500);
    assert.equal(server.now.all("join").length, 0, "not rejoined");
    const again = await client.join("lobby");
    assert.notEqual(again, room);
  });
}

test("leaving is at once, whatever the server says", async () => {
  const heard = record(room, "message");
  server.answer = (connection, request) => connection.refuse(request, "not_member");
  const left = room.leave();
  send("message", { data: "late" });
  await left;
  assert.equal(heard.length, 0);
  assert.equal(room.joined, false);
  assert.equal(client.rooms.size, 0);
  await room.leave();
  assert.equal(server.now.all("leave").length, 1);
});

test("leaving while the connection is lost means not to rejoin", async () => {
  server.now.drop();
  await room.leave();
  await clock.pass(500);
  assert.equal(client.state, "online");
  assert.equal(server.now.frames.length, 0);
});

test("leaving while the room is being rejoined stays left", async () => {
  server.answers = false;
  server.now.drop();
  await clock.pass(500);
  const join = server.now.last("join");
  room.leave();
  server.now.reply(join, server.joinReply(join));
  await settle();
  assert.equal(room.joined, false);
  assert.equal(client.rooms.size, 0);
  assert.equal(server.now.last("leave").room, "lobby");
});

test("leaving and joining again at once ends up inside", async () => {
  const left = room.leave();
  const again = await client.join("lobby");
  await left;
  assert.deepEqual(server.now.frames.slice(-2).map(({ type }) => type), ["leave", "join"]);
  assert.equal(again.joined, true);
});

test("close() leaves nothing behind", async () => {
  server.answers = false;
  const asked = [client.call("x"), room.publish("y"), client.join("z")];
  client.close();
  for (const promise of asked) await assert.rejects(promise, { code: "closed" });
  assert.equal(room.joined, false);
  assert.equal(client.rooms.size, 0);
  assert.equal(clock.timers, 0, "no timer is left running");
  await assert.rejects(room.publish("z"), { code: "closed" });
});

test("messages of the host to the user come to the client", () => {
  const heard = record(client, "message", "event:invoice", "state");
  server.now.send({ type: "message", event: "message", data: "hello", at: 1 });
  server.now.send({ type: "message", event: "invoice", data: 7, at: 1 });
  server.now.send({ type: "message", event: "state", data: 8, at: 1 });
  assert.deepEqual(heard.map(([event, { data }]) => [event, data]), [["message", "hello"], ["event:invoice", 7]]);
});

test("messages right behind the join reply wait for the listener", async () => {
  server.answers = false;
  const joined = client.join("busy");
  server.answer(server.now, server.now.last("join"));
  server.now.send({ type: "message", room: "busy", data: 1, at: 1 });
  const busy = await joined;
  server.now.send({ type: "message", room: "busy", data: 2, at: 1 });
  const later = async () => busy; // a few turns later
  const heard = record(await later(), "message");
  await settle();
  server.now.send({ type: "message", room: "busy", data: 3, at: 1 });
  const seen = [...busy.messages, ...heard.map(([, message]) => message)].map(({ data }) => data);
  assert.deepEqual(seen, [1, 2, 3]);
});
