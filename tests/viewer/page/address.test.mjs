// Addresses: what is written into one is read from it again.

import assert from "node:assert/strict";
import test from "node:test";
import { benchmarkLink, hash, here, runLink } from "../../../viewer/page/js/address.js";

/** @param {string} text */
function at(text) {
  // @ts-expect-error: only the part of a location that is read
  globalThis.location = { hash: text };
  return here();
}

test("a path without a query", () => assert.equal(hash("/runs"), "#/runs"));
test("empty values are left out", () => assert.equal(hash("/runs", { a: null, b: undefined, c: "" }), "#/runs?c="));
test("a list is a parameter for each value", () =>
  assert.equal(hash("/runs", { model: ["a", "b"] }), "#/runs?model=a&model=b"));

for (const id of ["run_1", "a/b", "with space", "100%", "?&#=", "模型"]) {
  test(`the id of a run survives its link: ${id}`, () => {
    const { page, id: read } = at(runLink(id));
    assert.deepEqual([page, read], ["runs", id]);
  });
}

test("a benchmark's link leads to its page", () => assert.equal(at(benchmarkLink("b")).page, "benchmarks"));
test("an address that cannot be decoded is kept as it is", () => assert.equal(at("#/runs/%E0%A4%A").id, "%E0%A4%A"));
test("no address is the overview", () => assert.deepEqual([at("").page, at("").id], ["", null]));
test("the query is read", () => assert.equal(at("#/runs?status=failed").query.get("status"), "failed"));
