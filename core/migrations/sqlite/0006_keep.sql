-- What was pruned and what was erased.

-- where the feed of a tenant begins: before it, entities that are gone have been forgotten
alter table tenant add column horizon integer not null default 0;

-- when parts of it were erased; null where it is as it was sent
alter table body add column erased_at integer;

-- who else has a body; and what may be pruned of a connection, the oldest first
create index delivery_body on delivery (body) where body is not null;
create index delivery_of on delivery (connection, id);
create index send_ended on send (connection, at) where status in ('succeeded', 'failed');

-- Who was erased: digests that only the server's key makes. They name nobody, and are enough to erase the same people
-- from a backup.
create table erasure (
    id blob primary key,
    connection integer not null references connection (id),
    digest blob not null,
    at integer not null,
    -- null while it is under way
    finished_at integer
) strict;
