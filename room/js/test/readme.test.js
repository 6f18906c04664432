// Whoever copies the READMEs' code must find that it parses, and that what it calls is there.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as wardroom from "../wardroom.js";

const classes = { client: wardroom.Client, room: wardroom.Room, lobby: wardroom.Room };

for (const file of ["../README.md", "../../../README.md"]) {
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  const blocks = [...text.matchAll(/```js\n(.*?)```/gs)].map((match) => match[1]);
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]);

  test(`${file}: its code parses`, () => {
    assert.ok(blocks.length > 0);
    for (const block of blocks) {
      const { status, stderr } = spawnSync(process.execPath, ["--check", "--input-type=module"], { input: block });
      assert.equal(status, 0, `${stderr}\nin\n${block}`);
    }
  });

  test(`${file}: what it names is there`, () => {
    let seen = 0;
    for (const code of [...blocks, ...spans]) {
      for (const [, object, member] of code.matchAll(/(?<![\w./-])(client|room|lobby)\.([a-z]\w*)/g)) {
        assert.ok(member in classes[object].prototype, `${object}.${member}, in ${code}`);
        seen++;
      }
      for (const [, names] of code.matchAll(/import \{ (.*?) \}/g)) {
        for (const name of names.split(", ")) assert.ok(name in wardroom, `${name}, in ${code}`);
      }
    }
    assert.ok(seen > 2);
  });
}
