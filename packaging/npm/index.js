"use strict";

const path = require("node:path");

/** The extension's path, for any host of SQLite. */
function getLoadablePath() {
  return path.join(__dirname, "message_store_sqlite.so");
}

/**
 * Makes the functions of Message Store known to a connection: a Database of better-sqlite3, or a DatabaseSync of
 * node:sqlite that was opened with allowExtension.
 */
function load(db) {
  if (typeof db?.loadExtension !== "function") {
    throw new TypeError("load() needs a connection of better-sqlite3 or node:sqlite, one with loadExtension()");
  }
  const isGuarded = typeof db.enableLoadExtension === "function"; // node:sqlite
  if (isGuarded) db.enableLoadExtension(true);
  try {
    db.loadExtension(getLoadablePath());
  } finally {
    if (isGuarded) db.enableLoadExtension(false);
  }
}

module.exports = { getLoadablePath, load };
