-- mixed.sql: inserts, indices, joins, aggregates, text search and updates in memory; @N@ rows.
PRAGMA journal_mode=OFF;
CREATE TABLE item(id INTEGER PRIMARY KEY, kind INTEGER, price INTEGER, name TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < @N@)
  INSERT INTO item SELECT i, (i*7919)%101, (i*104729)%9973, 'item '||((i*31)%1009)||' of '||i FROM n;
CREATE INDEX item_kind ON item(kind, price);
CREATE TABLE sale(item INTEGER, amount INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < @N@)
  INSERT INTO sale SELECT 1+(i*6151)%@N@, i%17 FROM n;
CREATE INDEX sale_item ON sale(item);
SELECT kind, count(*), sum(price), max(name) FROM item GROUP BY kind ORDER BY 3 DESC LIMIT 5;
SELECT i.kind, sum(s.amount*i.price) t FROM sale s JOIN item i ON i.id=s.item GROUP BY i.kind ORDER BY t DESC LIMIT 5;
SELECT count(*) FROM item WHERE name LIKE '%7 of 1%';
UPDATE item SET price=price+1 WHERE kind BETWEEN 20 AND 40;
DELETE FROM sale WHERE amount=3;
SELECT count(*), sum(price) FROM item WHERE id IN (SELECT item FROM sale WHERE amount>8);
SELECT substr(name,1,8) p, count(*) c FROM item GROUP BY p ORDER BY c DESC, p LIMIT 5;
