-- Which processes work on this database, and what each of them is at. What a process has begun is taken back when it is
-- gone: when it has not said for too long that it is still there.

create table process (
    -- a UUIDv7
    id uuid primary key,
    -- when it counts as gone, unless it says before that it is still there
    until bigint not null
);

-- which process is answering it; null where none is, or did
alter table delivery add column process uuid;

-- Who works on what a connection has queued. One row per connection.
create table claim (
    tenant bigint not null,
    connection bigint not null,
    -- null where nobody does
    process uuid,
    -- when somebody began with it last: who has waited longest comes first
    at bigint not null default 0,
    primary key (tenant, connection)
);

insert into claim (tenant, connection) select tenant, id from connection;

create index claim_taken on claim (tenant, connection) where process is not null;

-- which process is sending it
alter table send add column process uuid;

-- What is to be sent is what no process is at.
drop index send_due;
drop index send_next;
create index send_due on send (tenant, connection, subscription, due, id) where due is not null and process is null;
create index send_next on send (due) where due is not null and process is null;
create index send_taken on send (tenant, connection, subscription) where process is not null;
