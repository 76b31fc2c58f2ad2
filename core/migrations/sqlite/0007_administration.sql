-- What operators decide while servers run.

-- Versions of partners. Never changed.
create table version (
    -- SHA-256 of the bundle's manifest
    id blob primary key,
    partner text not null,
    -- `info.version` of the description
    name text not null,
    at integer not null,
    -- the bundle's file
    bundle blob not null
) strict;

-- Which version is used, since when: the last one counts. Never changed.
create table activation (
    partner text not null,
    -- from 1; whoever decides names the one that is followed
    number integer not null,
    -- null where it is about all connections that have no version of their own
    tenant text,
    connection text,
    -- null for none
    version blob,
    action text not null,
    at integer not null,
    who text not null,
    -- the plan that was carried out, a UUIDv7
    plan blob,
    primary key (partner, number)
) strict, without rowid;

-- Connections that were set up beside those of configurations.
create table setup (
    tenant text not null,
    connection text not null,
    -- from 1; whoever decides names the one that is followed
    revision integer not null,
    -- JSON; credentials are digests
    body text not null,
    primary key (tenant, connection)
) strict, without rowid;

-- What an upgrade would do, as it was found out.
create table upgrade (
    -- a UUIDv7
    id blob primary key,
    partner text not null,
    version blob not null,
    -- the number of the partner's last activation at that time
    after integer not null,
    at integer not null,
    who text not null,
    -- JSON
    body text not null
) strict;

create index upgrade_of on upgrade (partner, at);

-- Who did what. A process that knows another last number than this has to look again.
create table act (
    -- from 1, without gaps
    number integer primary key,
    at integer not null,
    who text not null,
    what text not null,
    -- JSON
    about text not null
) strict;
