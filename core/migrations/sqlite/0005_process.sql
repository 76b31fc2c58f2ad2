-- Which processes work on this database, and what each of them is at. What a process has begun is taken back when it is
-- gone: when it has not said for too long that it is still there.

create table process (
    -- a UUIDv7, 16 bytes
    id blob primary key,
    -- when it counts as gone, unless it says before that it is still there
    until integer not null
) strict, without rowid;

-- which process is answering it; null where none is, or did
alter table delivery add column process blob;

-- Who works on what a connection has queued. One row per connection.
create table claim (
    connection integer primary key references connection (id),
    -- null where nobody does
    process blob,
    -- when somebody began with it last: who has waited longest comes first
    at integer not null default 0
) strict;

insert into claim (connection) select id from connection;

create index claim_taken on claim (connection) where process is not null;

-- which process is sending it
alter table send add column process blob;

-- What is to be sent is what no process is at.
drop index send_due;
drop index send_next;
create index send_due on send (connection, subscription, due) where due is not null and process is null;
create index send_next on send (due) where due is not null and process is null;
create index send_taken on send (connection, subscription) where process is not null;
