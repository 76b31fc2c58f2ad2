-- The tables that are there whatever the schemas say. Tables of records and of entities follow from schemas and are
-- made when those are loaded; `stored_table` says which there are.
--
-- Ids of deliveries and entities are UUIDs, 16 bytes. Times are milliseconds since 1970 (UTC).

create table tenant (
    id integer primary key,
    name text not null unique,
    -- the end of its part of the change feed
    sequence integer not null default 0
) strict;

-- The end of the change feed: every change of an entity takes the next number, whoever's it is. One row.
create table feed (
    sequence integer not null
) strict;

insert into feed (sequence) values (0);

create table connection (
    id integer primary key,
    tenant integer not null references tenant (id),
    name text not null,
    partner text not null,
    -- counts commits: one that was planned on an older generation is refused
    generation integer not null default 0,
    -- the next free number of a record
    next_record integer not null default 1,
    -- how many active entities there are, per kind: a json object
    active text not null default '{}',
    -- what must be as it was for a payload to be answered without being worked on
    applied_sha256 blob,
    applied_setting blob,
    applied_state blob,
    unique (tenant, name)
) strict;

-- What was sent, once per connection however often it is sent.
create table body (
    id integer primary key,
    connection integer not null references connection (id),
    sha256 blob not null,
    size integer not null,
    zstd blob not null,
    unique (connection, sha256)
) strict;

create table delivery (
    id blob primary key,
    tenant integer not null references tenant (id),
    connection integer not null references connection (id),
    operation text not null,
    status text not null,
    received_at integer not null,
    finished_at integer,
    sha256 blob not null,
    size integer not null,
    -- the encoding that the body is still in, where it could not be decoded
    content_encoding text,
    -- null where the body was too large to be kept
    body integer references body (id),
    -- what became of it, json
    report text
) strict;

-- lists, newest first
create index delivery_newest on delivery (tenant, id);
-- what a process that ended left behind
create index delivery_unanswered on delivery (id) where status = 'received';

-- Which tables follow from schemas, and from what.
create table stored_table (
    name text primary key,
    -- 'entity' or 'record'
    holds text not null,
    -- the partner whose records it holds; empty for entities
    partner text not null,
    -- the kind's or the record type's name
    type text not null,
    -- the columns that follow from the schema, json
    columns text not null
) strict;
