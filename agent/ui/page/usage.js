// Usage over time, for sparklines: asked for the keys in sight only, kept for a minute.

import * as agent from './agent.js';

const kHours = 24, kKept = 60000;
const known = new Map();  // key → {at, values}

// Requests (or another column) by hour, oldest first.
export function byTime(rows, column, steps, value) {
  const sums = new Map();
  for (const row of rows) sums.set(row[column], (sums.get(row[column]) ?? 0) + value(row));
  return steps.map(step => sums.get(step) ?? 0);
}

const two = n => String(n).padStart(2, '0');
export function lastHours(count = kHours) {
  return Array.from({length: count}, (_, i) => new Date(Date.now() - (count - 1 - i) * 3600000))
    .map(date => `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}T${two(date.getUTCHours())}`);
}
export function lastDays(count) {
  return Array.from({length: count}, (_, i) => new Date(Date.now() - (count - 1 - i) * 86400000).toISOString().slice(0, 10));
}
// "2026-11-26T15" of "2026-11-26T15:00:00Z", in UTC.
const hourOf = row => ({...row, hour: row.hour.slice(0, 13)});

export const sparkOf = key => known.get(key)?.values ?? null;

// True when something new is known.
export async function fetchSparks(keys) {
  const wanted = keys.filter(key => !(Date.now() - known.get(key)?.at < kKept)).slice(0, 80);
  if (!wanted.length) return false;
  for (const key of wanted) known.set(key, {at: Date.now(), values: known.get(key)?.values ?? null});
  const query = `by=key,hour&from=${kHours}h&timezone=UTC&key=${wanted.map(encodeURIComponent).join(',')}`;
  const rows = (await agent.get(`/api/v1/usage?${query}`)).map(hourOf), hours = lastHours();
  for (const key of wanted)
    known.set(key, {at: Date.now(), values: byTime(rows.filter(row => row.key === key), 'hour', hours, row => row.requests)});
  return true;
}

export async function usageOf(key) {
  const id = encodeURIComponent(key);
  const [hours, days] = await Promise.all([agent.get(`/api/v1/usage?by=hour&from=24h&timezone=UTC&key=${id}`),
    agent.get(`/api/v1/usage?by=day&from=14d&timezone=UTC&key=${id}`)]);
  return {hours: byTime(hours.map(hourOf), 'hour', lastHours(), row => row.requests),
    days: byTime(days, 'day', lastDays(14), row => row.cost_usd)};
}
