-- One unit of some product.
\set item random(1, 1000)
BEGIN;
INSERT INTO idempotency VALUES (gen_random_uuid(), gen_random_uuid(), 1700000000000,
    repeat('the order as it was answered    ', 16));
UPDATE stock SET available = available - 1, sold = sold + 1
    WHERE variant_id = :item AND available >= 1;
WITH placed AS (INSERT INTO orders (id, status, placed_ms, total, email, record)
    VALUES (gen_random_uuid(), 1, 1700000000000, 1000, 'ada@shopper.example',
            repeat('buyer, address, lines and totals', 16)) RETURNING number)
INSERT INTO order_line SELECT number, 1, :item, 1, 1000 FROM placed;
COMMIT;
