-- The one row tells the database from others, and says which artifact store it belongs to.

CREATE TABLE proa_identity (
  one BIGINT NOT NULL PRIMARY KEY,
  id {{text}} NOT NULL,
  artifacts {{text}} NOT NULL
) {{table}};
