#!/usr/bin/env node
// Uses the key that Keyherd published, and follows it: consumer.mjs /run/keyherd/prod.json
import { readFileSync, watchFile } from "node:fs";

const path = process.argv[2];
let current = { generation: null };

// Watches the name, not the file: each decision is a new file, renamed over the old one.
export function refresh() {
  try {
    const latest = JSON.parse(readFileSync(path, "utf8"));
    if (latest.generation !== current.generation)
      console.log(`generation ${latest.generation}: ${latest.key}`);
    current = latest;
  } catch (error) {
    console.error(`keeping the last key: ${error.message}`);
  }
}

// For each request: Authorization: Bearer ${secret()}
export const secret = () => current.secret;

refresh();
watchFile(path, { interval: 1000 }, refresh);
