// SPDX-License-Identifier: Apache-2.0
// Drives SuperOffice's own client: reads a call per line, writes its result or its error per line, all JSON.
// {"base": "http://…/Cust12345", "signIn": {"authenticateWithToken": ["8A:…"]}, "agent": "Chat",
//  "method": "transferChatSessionAsync", "arguments": [157, "12"]}

const { createInterface } = require("node:readline");
const { WebApi } = require("@superoffice/webapi");

async function answer({ base, signIn, agent, method, arguments: values }) {
  try {
    const api = new WebApi(base);
    for (const [name, credentials] of Object.entries(signIn)) api[name](...credentials);
    return { result: (await api[`get${agent}Agent`]()[method](...values)) ?? null };
  } catch (error) {
    return { error: { name: error.name, status: error.response?.status, body: error.response?.data } };
  }
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await answer(JSON.parse(line))));
  }
}

main();
