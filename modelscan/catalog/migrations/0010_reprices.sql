-- What was done where usage was priced anew: when, by whom, which rows, from which sum to which.

CREATE TABLE reprices (
    id VARCHAR PRIMARY KEY,
    "at" TIMESTAMPTZ NOT NULL,
    "by" VARCHAR NOT NULL,
    document JSON NOT NULL
);
