-- Names and ids are bytes: whatever the database's encoding and collation, they compare as such.
CREATE TABLE {}heads (
    actor bytea PRIMARY KEY,
    mark bigint NOT NULL,
    head bytea NOT NULL
);
CREATE TABLE {}records (
    actor bytea NOT NULL,
    sequence bigint NOT NULL,
    digest bytea NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (actor, sequence, digest)
);
-- What a guest encodes is seldom made smaller by being compressed once more, and that takes time.
ALTER TABLE {}records ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TABLE {}quarantine (
    actor bytea NOT NULL,
    sequence bigint NOT NULL,
    digest bytea NOT NULL,
    description bytea NOT NULL,
    found bytea NOT NULL,
    PRIMARY KEY (actor, sequence, digest)
);
CREATE TABLE {}hosts (
    id bytea PRIMARY KEY,
    node text NOT NULL,
    address text,
    ttl_ms bigint NOT NULL,
    until_ms bigint NOT NULL
);
