-- A shopper's own cart of one line is replaced whole.
\set item random(1, 1000)
INSERT INTO cart VALUES (:client_id, 1800000000000,
    repeat('lines, prices, totals and buyer ', 8) || :item)
    ON CONFLICT (id) DO UPDATE SET expires_ms = excluded.expires_ms, record = excluded.record;
