-- What was pruned and what was erased.

-- where the feed of a tenant begins: before it, entities that are gone have been forgotten
alter table tenant add column horizon bigint not null default 0;

-- the order in which bodies came
alter table body add column id bigint generated always as identity;
-- when parts of it were erased; null where it is as it was sent
alter table body add column erased_at bigint;
create index body_of on body (tenant, connection, id);

-- what may be pruned of a connection, the oldest first
create index delivery_kept on delivery (tenant, connection, id) where body is not null;
create index send_ended on send (tenant, connection, at) where status in ('succeeded', 'failed');

-- Who was erased: digests that only the server's key makes. They name nobody, and are enough to erase the same people
-- from a backup.
create table erasure (
    tenant bigint not null,
    connection bigint not null,
    id uuid not null,
    digest bytea not null,
    at bigint not null,
    -- null while it is under way
    finished_at bigint,
    primary key (tenant, connection, id)
);
