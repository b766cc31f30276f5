-- Words in double braces are types, which differ from one database to another. A semicolon at the end of a line ends a
-- statement. Times are microseconds since 1970 in UTC, 0 for none. The *_hash columns are SHA-256 in hex of names and
-- keys, which may be longer than what an index takes.

CREATE TABLE proa_runs (
  id {{id}} NOT NULL PRIMARY KEY,
  name_hash {{hash}} NOT NULL,
  pipeline_hash {{hash}} NOT NULL,
  status {{word}} NOT NULL,
  created BIGINT NOT NULL,
  started BIGINT NOT NULL,
  ended BIGINT NOT NULL,
  cancel_requested BIGINT NOT NULL,
  name {{text}} NOT NULL,
  pipeline {{text}} NOT NULL,
  stack {{text}} NOT NULL,
  orchestrator {{text}} NOT NULL,
  context {{text}} NOT NULL,
  namespace {{text}} NOT NULL,
  spec {{doc}} NOT NULL,
  plan {{doc}} NOT NULL
) {{table}};

CREATE UNIQUE INDEX proa_runs_name ON proa_runs (name_hash);

CREATE INDEX proa_runs_created ON proa_runs (created, id);

CREATE INDEX proa_runs_pipeline ON proa_runs (pipeline_hash, created, id);

CREATE INDEX proa_runs_status ON proa_runs (status, created, id);

CREATE TABLE proa_leases (
  run_id {{id}} NOT NULL PRIMARY KEY,
  holder {{text}} NOT NULL,
  epoch BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  -- seq is the number of the run's last event.
  seq BIGINT NOT NULL
) {{table}};

CREATE TABLE proa_events (
  run_id {{id}} NOT NULL,
  seq BIGINT NOT NULL,
  recorded BIGINT NOT NULL,
  kind {{text}} NOT NULL,
  document {{doc}} NOT NULL,
  PRIMARY KEY (run_id, seq)
) {{table}};

CREATE TABLE proa_steps (
  run_id {{id}} NOT NULL,
  name_hash {{hash}} NOT NULL,
  position BIGINT NOT NULL,
  status {{word}} NOT NULL,
  attempt BIGINT NOT NULL,
  started BIGINT NOT NULL,
  ended BIGINT NOT NULL,
  name {{text}} NOT NULL,
  attempt_name {{text}} NOT NULL,
  cache_key {{text}} NOT NULL,
  cached_from {{text}} NOT NULL,
  log_key {{text}} NOT NULL,
  outputs {{doc}} NOT NULL,
  failure {{doc}} NOT NULL,
  cost {{doc}} NOT NULL,
  PRIMARY KEY (run_id, name_hash)
) {{table}};

CREATE TABLE proa_cache (
  key_hash {{hash}} NOT NULL PRIMARY KEY,
  cache_key {{text}} NOT NULL,
  run_id {{text}} NOT NULL,
  step {{text}} NOT NULL,
  outputs {{doc}} NOT NULL,
  created BIGINT NOT NULL
) {{table}};
