// SPDX-License-Identifier: Apache-2.0
// What the sandbox says: its ledger twice a second, and its state when the ledger has grown.

const LOOK_EVERY = 500;
const STATE_EVERY = 5000; // presence and the number of requests change without a line in the ledger
const PATIENCE = 5000;
const TRY_AGAIN_AFTER = 1000;

class NoAnswer extends Error {}

/**
 * Follow the sandbox for ever. `viewer.start(state, changes)` when there is a new one (at first, after a reset, after
 * it was gone), `viewer.update(state, changes)` when something happened, `viewer.lost()` while it does not answer.
 */
export async function follow(viewer) {
  for (;;) {
    try {
      await followOne(viewer);
    } catch (problem) {
      if (!(problem instanceof NoAnswer)) throw problem;
      viewer.lost();
      await pause(TRY_AGAIN_AFTER);
    }
  }
}

/** Returns when the sandbox was reset. */
async function followOne(viewer) {
  const { epoch, changes } = await get("ledger?since=0");
  const first = await get("state");
  if (first.epoch !== epoch) return;
  viewer.start(first, changes);
  let last = changes.length;
  let next = performance.now() + STATE_EVERY;
  for (;;) {
    await pause(LOOK_EVERY);
    if (document.hidden) continue;
    const fresh = await get(`ledger?since=${last}`);
    if (fresh.epoch !== epoch) return;
    if (!fresh.changes.length && performance.now() < next) continue;
    const state = await get("state");
    if (state.epoch !== epoch) return;
    viewer.update(state, fresh.changes);
    last += fresh.changes.length;
    next = performance.now() + STATE_EVERY;
  }
}

async function get(what) {
  try {
    const answer = await fetch(`/sandbox/${what}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new NoAnswer(`status ${answer.status}`);
    return await answer.json();
  } catch (problem) {
    throw new NoAnswer(String(problem), { cause: problem });
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
