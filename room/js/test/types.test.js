// wardroom.d.ts is written by hand: this holds it to what the module exports.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as wardroom from "../wardroom.js";

const declarations = readFileSync(new URL("../wardroom.d.ts", import.meta.url), "utf8").replace(/\/\*\*.*?\*\//gs, "");

/** The names that a class body declares. */
function declared(name) {
  const body = declarations.match(new RegExp(`export class ${name} [^{]*\\{\\n(.*?)\\n\\}`, "s"))[1];
  return [...new Set([...body.matchAll(/^ {2}(?:private |readonly )*(\w+)(?:<[^(]*>)?[(:?]/gm)].map((match) => match[1]))];
}

for (const name of ["Client", "Room"]) {
  test(`${name} is declared as it is`, () => {
    const actual = Object.getOwnPropertyNames(wardroom[name].prototype);
    assert.deepEqual(declared(name).sort(), actual.sort());
  });
}

test("WardroomError is declared as it is", () => {
  const error = new wardroom.WardroomError("timeout", "m", { id: "i", closeCode: 1 });
  const own = Object.keys(error).concat("constructor");
  assert.deepEqual(declared("WardroomError").sort(), own.sort());
});

test("exactly these are exported", () => {
  const classes = [...declarations.matchAll(/^export class (\w+)/gm)].map((match) => match[1]);
  assert.deepEqual(Object.keys(wardroom).sort(), classes.sort());
});

test("the package says what it holds", () => {
  const read = (name) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
  const { name, type, license, exports, files, dependencies } = JSON.parse(read("package.json"));
  assert.deepEqual([name, type, license, dependencies], ["wardroom", "module", "MIT", undefined]);
  for (const file of [...files, exports["."].types, exports["."].default]) assert.ok(read(file).length > 0);
});
