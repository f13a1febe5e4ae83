// Calls the Node.js SDK's own FileStore, or its DBStore for a MySQL URL: one JSON request a line on standard
// input, one JSON reply a line on standard output.
import * as readline from "node:readline";
import { DBBuilder, FileStore, OAuthToken, UserSignature } from "@zohocrm/nodejs-sdk-8.0/lib/index.js";

const fields = {
  id: "Id", client_id: "ClientId", client_secret: "ClientSecret", refresh_token: "RefreshToken", access_token: "AccessToken",
  grant_token: "GrantToken", redirect_url: "RedirectURL", api_domain: "APIDomain", expiry_time: "ExpiresIn",
};

function toToken(from) {
  const token = Reflect.construct(OAuthToken, []);
  for (const [name, method] of Object.entries(fields)) {
    if (from[name]) token["set" + method](from[name]);
  }
  if (from.user_name) token.setUserSignature(new UserSignature(from.user_name));
  return token;
}

function fromToken(token) {
  if (token == null) return null;
  const to = {};
  for (const [name, method] of Object.entries(fields)) {
    const value = token["get" + method]();
    if (value) to[name] = value;
  }
  const user = token.getUserSignature();
  if (user?.getName()) to.user_name = user.getName();
  return to;
}

function openStore(path) {
  if (!path.startsWith("mysql:")) return new FileStore(path);
  const url = new URL(path);
  return new DBBuilder().host(url.hostname).portNumber(url.port).databaseName(url.pathname.slice(1)).tableName("oauthtoken")
    .userName(url.searchParams.get("user")).password(process.env.MYSQL_PWD).build();
}

async function call({ op, path, token, id }) {
  const store = openStore(path);
  switch (op) {
    case "list": return { tokens: (await store.getTokens()).map(fromToken) };
    case "find": return { token: fromToken(await store.findToken(toToken(token))) };
    case "by id": return { token: fromToken(await store.findTokenById(id)) };
    case "save": {
      const saved = toToken(token);
      await store.saveToken(saved);
      return { token: fromToken(saved) };
    }
    case "delete": await store.deleteToken(id); return {};
    case "delete all": await store.deleteTokens(); return {};
    case "open": return {};
    default: throw new Error(op);
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  let reply;
  try {
    reply = await call(JSON.parse(line));
  } catch (e) {
    reply = { error: String(e?.message ?? e) + " " + String(e?.cause ?? "") };
  }
  console.log(JSON.stringify(reply));
}
