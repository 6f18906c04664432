// The golden frames of the protocol, which the server is held to as well
// (internal/wire/testdata/golden): what this client says, and that it
// understands what it is told.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { readFileSync } from "node:fs";
import { Clock, record, Server, settle } from "../testing/fake.js";

const folder = new URL("../../../internal/wire/testdata/golden/", import.meta.url);
const read = (file) => readFileSync(new URL(file, folder));
const manifest = JSON.parse(read("manifest.json"));

let clock;
let server;
let client;
beforeEach(async () => {
  clock = new Clock();
  server = new Server();
  // Rooms without history, where no idempotency key is made up.
  server.joinReply = ({ room }) => ({ room, permission: "public", members: [], recovered: false, messages: [] });
  client = server.client({ token: () => "eyJhbGciOiJIUzI1NiJ9.e30.c2ln" });
  await client.connect();
});
afterEach(() => clock.restore());

// How the frames of clients come about. Those that are not here are wrong on
// purpose, or another way to spell the same.
const room = (name, act) => async () => act(await client.join(name));
const requests = {
  auth: () => server.now.send({ type: "expiring", in_ms: 1000 }),
  "join-last": () => client.join("lobby", { last: 20 }),
  join: () => client.join("lobby"),
  leave: room("lobby", (r) => r.leave()),
  message: room("lobby", (r) => r.publish("Good morning")),
  "message-full": room("team:7", (r) =>
    r.publish({ text: "Good morning", tags: ["a", "b"], n: 1500 }, { event: "chat", id: "01JB5Z3M9V" }),
  ),
  "message-null-data": room("lobby", (r) => r.publish(null)),
  "message-ephemeral": room("lobby", (r) => r.publish(true, { event: "typing", store: false, echo: false })),
  "message-binary": room("lobby", (r) => r.publish(Uint8Array.of(0, 1, 254, 255), { event: "file" })),
  "message-binary-empty": room("lobby", (r) => r.publish(new ArrayBuffer(0))),
  edit: room("lobby", (r) => r.edit(42, "Good evening")),
  redact: room("lobby", (r) => r.redact(42, { reason: "a mistake" })),
  presence: () => client.presence("away"),
  "presence-meta": room("lobby", (r) => r.presence("online", { typing: true })),
  members: room("lobby", (r) => r.fetchMembers()),
  "members-page": room("lobby", (r) => r.fetchMembers({ after: "Ym8", limit: 50 })),
  history: room("lobby", (r) => r.history({ limit: 50 })),
  "history-before": room("lobby", (r) => r.history({ before: 90 })),
  "history-after": room("lobby", (r) => r.history({ after: 0 })),
  create: () => client.create("team:7"),
  "create-full": () => client.create("team:7", { permission: "restricted", roles: ["staff"], invited: ["bo", "cy"], max_members: 12 }),
  update: () => client.update("team:7", { permission: "private", roles: [] }),
  settings: () => client.settings("team:7"),
  delete: () => client.delete("team:7"),
  invite: room("team:7", (r) => r.invite("bo")),
  uninvite: room("team:7", (r) => r.uninvite("bo")),
  kick: room("team:7", (r) => r.kick("bo", { reason: "spam" })),
  ban: room("team:7", (r) => r.ban("bo", { reason: "spam", for_ms: 3_600_000 })),
  unban: room("team:7", (r) => r.unban("bo")),
  mute: room("team:7", (r) => r.mute("bo", { for_ms: 60_000 })),
  unmute: room("team:7", (r) => r.unmute("bo")),
  call: room("team:7", (r) => r.call("vote", { choice: 2 })),
  "call-no-data": () => client.call("time"),
  ping: () => client.ping(),
};

for (const [name, act] of Object.entries(requests)) {
  test(`says client/${name}`, async () => {
    const { type, fields, payload_base64: payload } = JSON.parse(read(`client/${name}.want.json`));
    const answer = server.answer.bind(server);
    server.answer = (connection, request) =>
      request.type === "members" ? connection.reply(request, { members: [] }) : answer(connection, request);
    await act();
    await settle();
    const { ref, payload: sent, ...said } = server.now.frames.at(-1);
    assert.deepEqual(said, { type, ...fields });
    assert.deepEqual(sent && Buffer.from(sent).toString("base64"), payload);
    assert.ok(Number.isInteger(ref) && ref > 0);
  });
}

test("says client/join-since", async () => {
  const { fields } = JSON.parse(read("client/join-since.want.json"));
  server.joinReply = (request) => ({ ...Server.prototype.joinReply(request), ...fields.since });
  await client.join("lobby");
  server.now.drop();
  await clock.pass(30_000);
  const { ref, type, ...said } = server.now.last("join");
  assert.deepEqual(said, fields);
});

test("every frame of clients is said, or cannot be", () => {
  const others = ["join-since", "message-no-ref", "message-unicode", "nulls", "unknown-fields", "white-space"];
  const names = manifest.filter(({ from }) => from === "client").map(({ file }) => file.match(/client\/(.*)\./)[1]);
  assert.deepEqual(
    names.filter((name) => !name.startsWith("bad-")).sort(),
    [...Object.keys(requests), ...others].sort(),
  );
});

for (const { file, frame } of manifest.filter(({ from }) => from === "server")) {
  test(`understands ${file}`, async () => {
    const bytes = read(file);
    const text = frame === "text" ? bytes.toString() : null;
    const size = text ? 0 : bytes.readUInt16BE(0);
    const envelope = JSON.parse(text ?? bytes.subarray(2, 2 + size));
    const data = text ?? new Uint8Array(bytes).buffer;
    const errors = record(client, "error");

    if (envelope.type === "reply") {
      // Refs are the client's own, so the reply is given the one it waits for.
      server.answers = false;
      const asked = client.request("anything").then(
        (result) => ({ ok: true, data: result }),
        ({ code, message, retryAfter, id }) => ({ ok: false, error: { code, message, retry_after_ms: retryAfter, ...(id && { id }) } }),
      );
      server.now.socket.onmessage({ data: JSON.stringify({ ...envelope, ref: server.now.last("anything").ref }) });
      const { type, ref, ...wanted } = envelope;
      assert.deepEqual(await asked, wanted);
      return;
    }
    const heard = [];
    const name = envelope.room;
    const target = name ? await client.join(name) : client;
    await settle();
    const event = {
      message: () => (envelope.event === "message" ? "message" : `event:${envelope.event}`),
      message_edited: () => "edited",
      message_redacted: () => "redacted",
      user_joined: () => "joined",
      user_left: () => "left",
      presence_update: () => "presence",
      room_updated: () => "updated",
      room_deleted: () => "deleted",
    }[envelope.type]?.() ?? envelope.type;
    target.on(event, (detail) => heard.push(detail));
    if (envelope.type === "welcome") {
      server.accepts = "open";
      server.now.drop();
      await clock.pass(30_000);
    }
    server.now.socket.onmessage({ data });
    assert.equal(heard.length, 1, event);
    if (envelope.type === "error") {
      assert.equal(heard[0].code, envelope.error.code);
      return;
    }
    assert.deepEqual(errors, []);
    const { data: got, code, ...rest } = heard[0];
    const { data: wanted, code: wantedCode, ...wantedRest } = envelope;
    assert.deepEqual(rest, wantedRest);
    if (wantedCode) assert.equal(code, wantedCode);
    if (text) assert.deepEqual(got, wanted);
    else assert.deepEqual([...got], [...bytes.subarray(2 + size)]);
  });
}
