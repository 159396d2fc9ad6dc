CREATE TABLE events (
  day TEXT NOT NULL,
  kind TEXT NOT NULL,
  count INTEGER NOT NULL,
  average_ms REAL,
  PRIMARY KEY (day, kind)
);

WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 364)
INSERT INTO events (day, kind, count, average_ms)
SELECT date('2024-01-01', '+' || i || ' days'), kind, 100 + (i * salt) % 900, 5 + (i * salt) % 250 / 10.0
FROM n, (SELECT 'visit' AS kind, 7919 AS salt UNION ALL SELECT 'purchase', 104729 UNION ALL SELECT 'search', 1299709);
