PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "message_store_schema" (
    version INTEGER NOT NULL,
    store_id TEXT NOT NULL,     -- of a namespace: that of the main store it was created in
    append_lock TEXT NOT NULL DEFAULT 'category',
    created_at TEXT NOT NULL
);
INSERT INTO message_store_schema VALUES(1,'01a207a9-13b6-7736-9dce-99e2ea469e37','category','2026-11-23 09:07:30.871749');
CREATE TABLE IF NOT EXISTS "messages" (
    global_position INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    position INTEGER NOT NULL,
    time TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'),
    stream_name TEXT NOT NULL,
    type TEXT NOT NULL,
    data TEXT,
    metadata TEXT,
    id TEXT NOT NULL DEFAULT (lower(
        hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
        || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))
    ))
);
INSERT INTO messages VALUES(1,0,'2026-11-23 09:07:30.872105','account-1','Opened','{"owner": "Ada"}',NULL,'00000000-0000-4000-8000-000000000001');
INSERT INTO messages VALUES(2,1,'2026-11-23 09:07:30.874460','account-1','Deposited','{"amount": 100}','{"correlationStreamName": "order-7"}','00000000-0000-4000-8000-000000000002');
INSERT INTO messages VALUES(3,0,'2026-11-23 09:07:30.876101','account-2','Opened','{"owner": "Grace"}',NULL,'00000000-0000-4000-8000-000000000003');
INSERT INTO messages VALUES(4,0,'2026-11-23 09:07:30.877726','order-7','Placed','{"total": 120}',NULL,'00000000-0000-4000-8000-000000000004');
INSERT INTO messages VALUES(5,2,'2026-11-23 09:07:30.879304','account-1','Withdrawn','{"amount": 70}',NULL,'00000000-0000-4000-8000-000000000005');
CREATE TABLE message_store_namespaces (
    name TEXT PRIMARY KEY NOT NULL,
    token_hash TEXT,
    description TEXT,
    metadata TEXT,
    created_at TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO message_store_namespaces VALUES('tenant-a','hash','Tenant A','{"plan": "free"}','2026-11-23 09:07:30.884790');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('messages',5);
CREATE UNIQUE INDEX "messages_id" ON "messages" (id);
CREATE UNIQUE INDEX "messages_stream" ON "messages" (stream_name, position);
CREATE INDEX "messages_category" ON "messages" (
    substr(stream_name, 1, instr(stream_name || '-', '-') - 1),
    global_position
);
CREATE VIEW "stream_summary" AS
    SELECT stream_name, count(*) AS message_count,
        round(100.0 * count(*) / (SELECT count(*) FROM "messages"), 2) AS percent
    FROM "messages" GROUP BY stream_name ORDER BY stream_name;
CREATE VIEW "type_summary" AS
    SELECT type, count(*) AS message_count,
        round(100.0 * count(*) / (SELECT count(*) FROM "messages"), 2) AS percent
    FROM "messages" GROUP BY type ORDER BY type;
CREATE VIEW "stream_type_summary" AS
    SELECT stream_name, type, count(*) AS message_count,
        round(100.0 * count(*) / (SELECT count(*) FROM "messages"), 2) AS percent
    FROM "messages" GROUP BY stream_name, type ORDER BY stream_name, type;
CREATE VIEW "type_stream_summary" AS
    SELECT type, stream_name, count(*) AS message_count,
        round(100.0 * count(*) / (SELECT count(*) FROM "messages"), 2) AS percent
    FROM "messages" GROUP BY type, stream_name ORDER BY type, stream_name;
CREATE VIEW "category_type_summary" AS
    SELECT substr(stream_name, 1, instr(stream_name || '-', '-') - 1) AS category, type, count(*) AS message_count,
        round(100.0 * count(*) / (SELECT count(*) FROM "messages"), 2) AS percent
    FROM "messages" GROUP BY 1, type ORDER BY 1, type;
CREATE VIEW "type_category_summary" AS
    SELECT type, substr(stream_name, 1, instr(stream_name || '-', '-') - 1) AS category, count(*) AS message_count,
        round(100.0 * count(*) / (SELECT count(*) FROM "messages"), 2) AS percent
    FROM "messages" GROUP BY type, 2 ORDER BY type, 2;
CREATE UNIQUE INDEX message_store_namespaces_token_hash
    ON message_store_namespaces (token_hash);
COMMIT;
