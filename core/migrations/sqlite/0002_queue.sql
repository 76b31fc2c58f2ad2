-- What partners that are answered at once need: deliveries that are worked on when their turn comes, a log with a line
-- per record sent, records that wait for what they refer to, and when deleted ones were deleted.

-- how often a queued delivery has been begun
alter table delivery add column attempts integer not null default 0;
-- how many records it holds, as far as that is known
alter table delivery add column sent integer not null default 0;
-- how many of these are errors; once it has ended and keeps a log, as many as its log says
alter table delivery add column errors integer not null default 0;

-- what has been acknowledged, by connection; oldest first
create index delivery_queued on delivery (connection) where status = 'queued';

-- A delivery's log: what became of each record sent.
create table entry (
    delivery blob not null references delivery (id),
    -- its place in the log, from 0, without gaps
    nth integer not null,
    -- where in the payload the record stands
    pointer text not null,
    -- the record type's name
    record text not null,
    -- the record's key, a canonical json list; null where it could not be told
    key text,
    outcome text not null,
    -- json; null where there is nothing more to tell
    notes text,
    primary key (delivery, nth)
) strict, without rowid;

-- Records that wait for what they refer to, and those that waited for too long.
create table waiting (
    connection integer not null references connection (id),
    -- the record's number, which no two record types of a connection share
    record integer not null,
    -- the record type's name
    type text not null,
    -- the name of a reference, or of a kind of entity
    for_what text not null,
    since integer not null,
    -- when it has waited too long; null where it may wait for ever
    until integer,
    -- whether it has
    quarantined integer not null default 0,
    -- the delivery that it came by, and the line of its log that tells of it, if that keeps one
    delivery blob not null references delivery (id),
    entry integer,
    primary key (connection, record)
) strict, without rowid;

-- what has waited too long
create index waiting_until on waiting (until) where quarantined = 0;

-- When that was true what deleted a record, in microseconds since 1970, where its partner tells: what is older does not
-- bring it back.
create table gone (
    connection integer not null references connection (id),
    -- the record type's name
    type text not null,
    key text not null,
    as_of integer not null,
    primary key (connection, type, key)
) strict, without rowid;
