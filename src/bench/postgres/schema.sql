-- The part of a shop that the comparison needs, as one would write it for PostgreSQL.
CREATE TABLE cart (id bigint PRIMARY KEY, expires_ms bigint NOT NULL, record text NOT NULL);
CREATE TABLE stock (variant_id bigint PRIMARY KEY, available bigint NOT NULL,
    sold bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE idempotency (key uuid PRIMARY KEY, body uuid NOT NULL, time_ms bigint NOT NULL,
    result text NOT NULL);
CREATE TABLE orders (number bigserial PRIMARY KEY, id uuid NOT NULL UNIQUE,
    status integer NOT NULL, placed_ms bigint NOT NULL, total bigint NOT NULL, email text NOT NULL,
    record text NOT NULL);
CREATE TABLE order_line (number bigint NOT NULL REFERENCES orders, line_id integer NOT NULL,
    variant_id bigint NOT NULL, quantity integer NOT NULL, unit_price bigint NOT NULL,
    PRIMARY KEY (number, line_id));
INSERT INTO stock SELECT i, 1000000000, 0 FROM generate_series(1, 1000) i;
