/** A connection that can load extensions: better-sqlite3's Database, or node:sqlite's DatabaseSync. */
export interface Connection {
  loadExtension(path: string): unknown;
  enableLoadExtension?(allow: boolean): void;
}

/** The extension's path, for any host of SQLite. */
export function getLoadablePath(): string;

/**
 * Makes the functions of Message Store known to a connection. A DatabaseSync must have been opened with
 * `allowExtension: true`.
 */
export function load(db: Connection): void;
