// Random publishes, losses, trims and reconnects: what each client saw must be
// the log, in order, except for gaps that it was told about.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Clock, enter, LogServer } from "../testing/fake.js";

let clock;
beforeEach(() => (clock = new Clock()));
afterEach(() => {
  clock.restore();
  mock.reset();
});

function random(seed) {
  return () => {
    // mulberry32
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

for (let seed = 1; seed <= 40; seed++) {
  test(`the view equals the log (seed ${seed})`, async () => {
    const next = random(seed);
    mock.method(Math, "random", next);
    const server = new LogServer();
    const client = server.client();
    await client.connect();
    const room = await enter(client, "r");

    const { truth } = server.room("r");
    const seen = [0];
    let told = false;
    const wrong = []; // an exception would end in the client's own hands
    room.on("gap", () => (told = true));
    room.on("message", ({ offset, data }) => {
      const expected = seen.at(-1) + 1;
      if (told ? offset < expected : offset !== expected) wrong.push(`${offset} instead of ${expected}`);
      if (data !== truth[offset]) wrong.push(`${data} at ${offset} instead of ${truth[offset]}`);
      told = false;
      seen.push(offset);
    });

    const published = [];
    const publishOwn = (data) => {
      const result = room.publish(data).then(({ offset }) => ({ offset, data }));
      result.catch(() => {}); // looked at in the end
      published.push(result);
    };
    const answer = server.answer.bind(server);
    server.answer = (connection, request) => {
      const luck = next();
      if (luck < 0.1) return connection.drop(1006); // the request is lost
      answer(connection, request);
    };
    const drop = () => server.now.socket.readyState === 1 && server.now.drop([1006, 1012, 4103, 4200][Math.floor(next() * 4)]);
    for (let step = 0; step < 150; step++) {
      const what = next();
      if (what < 0.4) server.publish("r", `theirs ${step}`);
      else if (what < 0.7) publishOwn(`mine ${step}`);
      else if (what < 0.85) drop();
      else if (what < 0.9) server.trim("r", 3);
      else await clock.pass(next() * 2000);
    }
    server.answer = answer;
    await clock.pass(300_000);

    assert.deepEqual(wrong, []);
    assert.equal(client.state, "online");
    assert.equal(seen.at(-1), truth.length - 1, "caught up");
    let delivered = 0;
    for (const result of await Promise.allSettled(published)) {
      if (result.status === "rejected") {
        assert.equal(result.reason.code, "disconnected"); // sent five times in vain
        continue;
      }
      const { offset, data } = result.value;
      assert.equal(truth[offset], data, "acknowledged means stored, at that place");
      delivered++;
    }
    assert.ok(delivered > 0);
    const stored = truth.slice(1);
    assert.equal(new Set(stored).size, stored.length, "nothing is stored twice");
    const own = stored.filter((data) => data.startsWith("mine")).map((data) => Number(data.slice(5)));
    assert.deepEqual(own, own.toSorted((a, b) => a - b), "own messages keep their order");
  });
}
