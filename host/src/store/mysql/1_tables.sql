-- Names and ids are bytes: whatever the server's collation, they compare as such, with every space at their end.
CREATE TABLE IF NOT EXISTS {}heads (
    actor VARBINARY(255) NOT NULL PRIMARY KEY,
    mark BIGINT NOT NULL,
    head LONGBLOB NOT NULL
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS {}records (
    actor VARBINARY(255) NOT NULL,
    sequence BIGINT NOT NULL,
    digest BINARY(32) NOT NULL,
    bytes LONGBLOB NOT NULL,
    PRIMARY KEY (actor, sequence, digest)
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS {}quarantine (
    actor VARBINARY(255) NOT NULL,
    sequence BIGINT NOT NULL,
    digest BINARY(32) NOT NULL,
    description LONGBLOB NOT NULL,
    found LONGBLOB NOT NULL,
    PRIMARY KEY (actor, sequence, digest)
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS {}hosts (
    id VARBINARY(255) NOT NULL PRIMARY KEY,
    node TEXT CHARACTER SET utf8mb4 NOT NULL,
    address TEXT CHARACTER SET utf8mb4,
    ttl_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL
) ENGINE = InnoDB;
