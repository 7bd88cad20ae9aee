-- Where requests for a name go: the rules that were set through the API or the command line.

CREATE TABLE routing_rules (
    "match" VARCHAR NOT NULL,
    client VARCHAR NOT NULL,
    rule JSON NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY ("match", client)
);
