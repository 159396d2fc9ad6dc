CREATE TABLE entries (
  key TEXT PRIMARY KEY,
  value BLOB NOT NULL,
  expires_at TEXT
);

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
INSERT INTO entries (key, value, expires_at)
SELECT 'user:' || i, CAST('{"id":' || i || ',"visits":' || (i * 37 % 101) || '}' AS BLOB),
       CASE WHEN i % 5 = 0 THEN NULL ELSE datetime('2030-01-01', '+' || i || ' minutes') END
FROM n;
