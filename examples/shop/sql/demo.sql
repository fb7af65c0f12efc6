-- Two customers with API tokens (alice-token, bob-token) that everybody knows: for a database to try things on.
INSERT INTO users (name, password, token_digest) VALUES
    ('alice', '!', SHA2('alice-token', 256)),
    ('bob', '!', SHA2('bob-token', 256));
INSERT INTO items (name, price) VALUES ('Tea cup', 1200);
