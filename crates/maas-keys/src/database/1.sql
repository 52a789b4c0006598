-- Schema 1. Never edited once released: a change is a new file.
-- Instants are milliseconds since 1970, days are ISO dates of the site, lists of models are JSON
-- arrays and NULL is no list. A limit that is NULL is no limit; 0 allows nothing.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE teams (
    name                TEXT PRIMARY KEY,
    created             INTEGER NOT NULL,
    disabled            INTEGER,
    requests_per_minute INTEGER CHECK (requests_per_minute >= 0),
    tokens_per_day      INTEGER CHECK (tokens_per_day >= 0),
    models              TEXT CHECK (models IS NULL OR json_valid(models))
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    id                  TEXT PRIMARY KEY,
    code                BLOB NOT NULL CHECK (length(code) = 32),
    team                TEXT NOT NULL REFERENCES teams (name),
    user                TEXT,
    name                TEXT NOT NULL,
    created             INTEGER NOT NULL,
    expires             INTEGER,
    revoked             INTEGER,
    requests_per_minute INTEGER CHECK (requests_per_minute >= 0),
    tokens_per_day      INTEGER CHECK (tokens_per_day >= 0),
    models              TEXT CHECK (models IS NULL OR json_valid(models))
) STRICT, WITHOUT ROWID;

-- One row per admitted request. No foreign keys: what was used stays true whatever becomes of the
-- key, and nothing may keep a row from being written.
CREATE TABLE ledger (
    request      TEXT PRIMARY KEY,
    at           INTEGER NOT NULL,
    day          TEXT NOT NULL,
    key          TEXT NOT NULL,
    team         TEXT NOT NULL,
    user         TEXT,
    model        TEXT NOT NULL,
    requested_as TEXT,
    route        TEXT NOT NULL,
    input        INTEGER NOT NULL,
    cached       INTEGER NOT NULL,
    output       INTEGER NOT NULL,
    outcome      TEXT NOT NULL,
    engine       TEXT,
    took_ms      INTEGER
) STRICT, WITHOUT ROWID;

-- The same, added up; written in the transaction that writes the rows.
CREATE TABLE usage_by_day (
    day      TEXT NOT NULL,
    team     TEXT NOT NULL,
    key      TEXT NOT NULL,
    model    TEXT NOT NULL,
    requests INTEGER NOT NULL,
    input    INTEGER NOT NULL,
    cached   INTEGER NOT NULL,
    output   INTEGER NOT NULL,
    PRIMARY KEY (day, team, key, model)
) STRICT, WITHOUT ROWID;
