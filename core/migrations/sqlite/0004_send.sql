-- What subscribers are told, and how that went. Of what happens to one record each subscription is told in order: what is
-- behind something that is still open has no time at which it is due.

create table send (
    -- the order in which it happened
    id integer primary key,
    -- what the subscriber sees: a UUIDv7, 16 bytes
    public_id blob not null unique,
    connection integer not null references connection (id),
    -- the subscription's key, a canonical json list
    subscription text not null,
    event text not null,
    -- what it happened to: a record type's name, and a key, a canonical json list
    type text not null,
    key text not null,
    body text not null,
    at integer not null,
    -- 'pending', 'retry', 'succeeded' or 'failed'
    status text not null,
    -- when it is to be sent; null while it waits for an older one, and when it has ended
    due integer,
    -- how often it was tried
    attempts integer not null default 0
) strict;

-- what is to be sent, by whom it is for; and when
create index send_due on send (connection, subscription, due) where due is not null;
create index send_next on send (due) where due is not null;
-- what waits for what
create index send_open on send (connection, subscription, type, key, id) where status in ('pending', 'retry');
-- what a subscription was told, newest first
create index send_of on send (connection, subscription, id);
create index send_failed on send (connection, subscription, id) where status = 'failed';

create table send_attempt (
    send integer not null references send (id),
    -- from 1, without gaps
    nth integer not null,
    at integer not null,
    took integer not null,
    -- what was answered; null where nothing was
    http_status integer,
    response text,
    -- why nothing was
    problem text,
    primary key (send, nth)
) strict, without rowid;
