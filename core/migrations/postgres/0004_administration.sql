-- What operators decide while servers run.

-- Versions of partners. Never changed.
create table version (
    -- SHA-256 of the bundle's manifest
    id bytea primary key,
    partner text not null,
    -- `info.version` of the description
    name text not null,
    at bigint not null,
    -- the bundle's file
    bundle bytea not null
);

-- Which version is used, since when: the last one counts. Never changed.
create table activation (
    partner text not null,
    -- from 1; whoever decides names the one that is followed
    number bigint not null,
    -- null where it is about all connections that have no version of their own
    tenant text,
    connection text,
    -- null for none
    version bytea,
    action text not null,
    at bigint not null,
    who text not null,
    -- the plan that was carried out, a UUIDv7
    plan uuid,
    primary key (partner, number)
);

-- Connections that were set up beside those of configurations.
create table setup (
    tenant text not null,
    connection text not null,
    -- from 1; whoever decides names the one that is followed
    revision bigint not null,
    -- JSON; credentials are digests
    body text not null,
    primary key (tenant, connection)
);

-- What an upgrade would do, as it was found out.
create table upgrade (
    -- a UUIDv7
    id uuid primary key,
    partner text not null,
    version bytea not null,
    -- the number of the partner's last activation at that time
    after bigint not null,
    at bigint not null,
    who text not null,
    -- JSON
    body text not null
);

create index upgrade_of on upgrade (partner, at);

-- Who did what. A process that knows another last number than this has to look again.
create table act (
    -- from 1, without gaps
    number bigint primary key,
    at bigint not null,
    who text not null,
    what text not null,
    -- JSON
    about text not null
);
