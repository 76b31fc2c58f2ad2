-- The tables that are there whatever the schemas say; what those of SQLite are, and for the same reasons. Tables of records
-- and of entities follow from schemas and are made when those are loaded; `stored_table` says which there are.
--
-- Every table whose rows belong to a connection begins its key with tenant and connection, so that all of it can be
-- distributed by tenant. Texts are compared by code point, as everywhere else. Times are milliseconds since 1970 (UTC).
--
-- There is one foreign key only, that of bodies: it keeps a body from being pruned while a delivery that says the same is
-- being received. Others would lock the rows of tenants and connections, which are written all the time.

create table tenant (
    id bigint generated always as identity primary key,
    name text collate "C" not null unique,
    -- the end of its change feed: every change of an entity takes the next number. Who takes some keeps this row locked
    -- until they are committed, so that no reader ever sees a later one before
    sequence bigint not null default 0
);

create table connection (
    tenant bigint not null,
    id bigint generated always as identity,
    name text collate "C" not null,
    partner text collate "C" not null,
    -- counts commits: one that was planned on an older generation is refused
    generation bigint not null default 0,
    -- the next free number of a record
    next_record bigint not null default 1,
    -- how many active entities there are, per kind: a json object
    active text not null default '{}',
    -- what must be as it was for a payload to be answered without being worked on
    applied_sha256 bytea,
    applied_setting bytea,
    applied_state bytea,
    primary key (tenant, id),
    unique (tenant, name)
);

-- What was sent, once per connection however often it is sent.
create table body (
    tenant bigint not null,
    connection bigint not null,
    sha256 bytea not null,
    size bigint not null,
    zstd bytea not null,
    primary key (tenant, connection, sha256)
);

-- it is compressed already
alter table body alter column zstd set storage external;

create table delivery (
    tenant bigint not null,
    connection bigint not null,
    id uuid not null,
    -- the order in which deliveries of a connection came
    arrival bigint generated always as identity,
    operation text collate "C" not null,
    status text collate "C" not null,
    received_at bigint not null,
    finished_at bigint,
    sha256 bytea not null,
    size bigint not null,
    -- the encoding that the body is still in, where it could not be decoded
    content_encoding text,
    -- its hash; null where the body was too large to be kept
    body bytea,
    -- what became of it, json
    report text,
    -- how often it has been begun, if it was queued
    attempts integer not null default 0,
    -- how many records it holds, as far as that is known
    sent bigint not null default 0,
    -- how many of these are errors; once it has ended and keeps a log, as many as its log says
    errors bigint not null default 0,
    primary key (tenant, connection, id),
    foreign key (tenant, connection, body) references body (tenant, connection, sha256)
);

-- one by its id alone
create index delivery_id on delivery (id);
-- lists, newest first
create index delivery_newest on delivery (tenant, id);
-- what a process that ended left behind
create index delivery_unanswered on delivery (id) where status = 'received';
-- what has been acknowledged; oldest first
create index delivery_queued on delivery (tenant, connection, arrival) where status = 'queued';
-- who says what a body says
create index delivery_body on delivery (tenant, connection, body);

-- A delivery's log: what became of each record sent.
create table entry (
    tenant bigint not null,
    connection bigint not null,
    delivery uuid not null,
    -- its place in the log, from 0, without gaps
    nth bigint not null,
    -- where in the payload the record stands
    pointer text not null,
    -- the record type's name
    record text not null,
    -- the record's key, a canonical json list; null where it could not be told
    key text,
    outcome text not null,
    -- json; null where there is nothing more to tell
    notes text,
    primary key (tenant, connection, delivery, nth)
);

-- Records that wait for what they refer to, and those that waited for too long.
create table waiting (
    tenant bigint not null,
    connection bigint not null,
    -- the record's number, which no two record types of a connection share
    record bigint not null,
    -- the record type's name
    type text not null,
    -- the name of a reference, or of a kind of entity
    for_what text not null,
    since bigint not null,
    -- when it has waited too long; null where it may wait for ever
    until bigint,
    -- whether it has
    quarantined boolean not null default false,
    -- the delivery that it came by, and the line of its log that tells of it, if that keeps one
    delivery uuid not null,
    entry bigint,
    primary key (tenant, connection, record)
);

-- what has waited too long
create index waiting_until on waiting (until) where not quarantined;

-- When that was true what deleted a record, in microseconds since 1970, where its partner tells: what is older does not
-- bring it back.
create table gone (
    tenant bigint not null,
    connection bigint not null,
    -- the record type's name
    type text collate "C" not null,
    key text collate "C" not null,
    as_of bigint not null,
    primary key (tenant, connection, type, key)
);

-- The last number that was given out, by what it numbers: a record type, or a series that a partner's own logic names.
-- It outlives what was numbered, so that no number is used twice.
create table number (
    tenant bigint not null,
    connection bigint not null,
    what text collate "C" not null,
    last bigint not null,
    primary key (tenant, connection, what)
);

-- What subscribers are told, and how that went. Of what happens to one record each subscription is told in order: what is
-- behind something that is still open has no time at which it is due.
create table send (
    tenant bigint not null,
    connection bigint not null,
    -- the order in which it happened
    id bigint generated always as identity,
    -- what the subscriber sees: a UUIDv7
    public_id uuid not null,
    -- the subscription's key, a canonical json list
    subscription text collate "C" not null,
    event text collate "C" not null,
    -- what it happened to: a record type's name, and a key, a canonical json list
    type text collate "C" not null,
    key text collate "C" not null,
    body text not null,
    at bigint not null,
    -- 'pending', 'retry', 'succeeded' or 'failed'
    status text collate "C" not null,
    -- when it is to be sent; null while it waits for an older one, and when it has ended
    due bigint,
    -- how often it was tried
    attempts integer not null default 0,
    primary key (tenant, connection, id)
);

-- one by what the subscriber sees
create unique index send_public_id on send (public_id, tenant);
-- what is to be sent, by whom it is for; and when
create index send_due on send (tenant, connection, subscription, due, id) where due is not null;
create index send_next on send (due) where due is not null;
-- what waits for what
create index send_open on send (tenant, connection, subscription, type, key, id) where status in ('pending', 'retry');
-- what a subscription was told, newest first
create index send_of on send (tenant, connection, subscription, id);
create index send_failed on send (tenant, connection, subscription, id) where status = 'failed';

create table send_attempt (
    tenant bigint not null,
    connection bigint not null,
    send bigint not null,
    -- from 1, without gaps
    nth integer not null,
    at bigint not null,
    took bigint not null,
    -- what was answered; null where nothing was
    http_status integer,
    response text,
    -- why nothing was
    problem text,
    primary key (tenant, connection, send, nth)
);

-- Which tables follow from schemas, and from what.
create table stored_table (
    name text collate "C" primary key,
    -- 'entity' or 'record'
    holds text collate "C" not null,
    -- the partner whose records it holds; empty for entities
    partner text collate "C" not null,
    -- the kind's or the record type's name
    type text collate "C" not null,
    -- the columns that follow from the schema, json
    columns text not null
);
