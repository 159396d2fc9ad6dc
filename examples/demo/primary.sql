CREATE TABLE users (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  email TEXT UNIQUE,
  active INTEGER NOT NULL DEFAULT 1,
  created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES users(id),
  item TEXT NOT NULL,
  cents INTEGER NOT NULL CHECK (cents > 0),
  ordered_at TEXT NOT NULL
);
CREATE INDEX orders_by_user ON orders(user_id);

INSERT INTO users (id, name, email, active) VALUES
  (1, 'Ada Lovelace', 'ada@example.org', 1),
  (2, 'Grace Hopper', 'grace@example.org', 1),
  (3, 'Edgar F. Codd', 'codd@example.org', 1),
  (4, 'Jürgen Müller', NULL, 0),
  (5, '山田 太郎', 'taro@example.org', 1);

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO orders (user_id, item, cents, ordered_at)
SELECT 1 + i % 5, CASE i % 4 WHEN 0 THEN 'book' WHEN 1 THEN 'pencil' WHEN 2 THEN 'lamp' ELSE 'coffee' END,
       250 + (i * 7919) % 9000, datetime('2024-01-01', '+' || i || ' hours')
FROM n;
